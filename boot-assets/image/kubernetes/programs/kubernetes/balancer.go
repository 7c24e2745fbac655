// slipway-balancer: one address on the node, 127.0.0.1, behind which the cluster's API servers stand, so that no kubeconfig
// names one of them. TCP only: it sees no secrets and ends no TLS. Its list is a file that the agent writes; it is read again
// when it changes, and a file that cannot be read leaves the last good list in force. Started by systemd, as a service of
// its own: a new agent cuts no connection.
package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"k8s.io/klog/v2"
)

const (
	reloadEvery  = time.Second
	probeEvery   = 2 * time.Second
	probeTimeout = time.Second
	dialTimeout  = 3 * time.Second
	// A server that fails so many probes in a row is gone: its connections are ended, so that clients come again.
	failuresToCut = 3
)

type balancer struct {
	pool *serverPool
	dial func(address string, timeout time.Duration) (net.Conn, error)
}

func runBalancer() {
	flags := flag.NewFlagSet("slipway-balancer", flag.ExitOnError)
	config := flags.String("config", "", "JSON file: {\"listen\":\"127.0.0.1:7445\",\"servers\":[\"192.0.2.5:6443\"]}")
	_ = flags.Parse(os.Args[1:])
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serveBalancer(ctx, *config); err != nil {
		klog.Errorf("slipway-balancer: %v", err)
		klog.Flush()
		os.Exit(1)
	}
}

// serveBalancer listens until ctx ends. The first list must be readable; the address to listen on is the first one's.
func serveBalancer(ctx context.Context, path string) error {
	list, stamp, err := readBalancerConfig(path)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp4", list.Listen)
	if err != nil {
		return err
	}
	b := &balancer{pool: newServerPool(list.Servers), dial: dialTCP}
	klog.Infof("%s leads to %v", list.Listen, list.Servers)
	go every(ctx, probeEvery, b.probe)
	go every(ctx, reloadEvery, func() { stamp = b.reload(path, list.Listen, stamp) })
	go func() {
		<-ctx.Done()
		_ = listener.Close()
	}()
	for {
		client, err := listener.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			// Out of file descriptors, most likely: the next one may fit again.
			klog.Warningf("accept: %v", err)
			time.Sleep(100 * time.Millisecond)
			continue
		}
		go b.carry(client)
	}
}

func every(ctx context.Context, period time.Duration, work func()) {
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		work()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func dialTCP(address string, timeout time.Duration) (net.Conn, error) {
	return net.DialTimeout("tcp4", address, timeout)
}

// reload takes a list that changed. It returns the stamp of what it has read, good or not: a bad file is told once.
func (b *balancer) reload(path, listen string, last fileStamp) fileStamp {
	stamp, err := stampOf(path)
	if err != nil || stamp == last {
		return last
	}
	list, stamp, err := readBalancerConfig(path)
	if err != nil {
		klog.Warningf("%v; the last good list stays", err)
		return stamp
	}
	if list.Listen != listen {
		klog.Warningf("%s says listen on %s; that takes a restart, %s stays", path, list.Listen, listen)
	}
	b.pool.replace(list.Servers)
	klog.Infof("%s leads to %v", listen, list.Servers)
	return stamp
}

// probe asks all servers at once whether they take connections.
func (b *balancer) probe() {
	var asked sync.WaitGroup
	for _, address := range b.pool.addresses() {
		asked.Go(func() {
			connection, err := b.dial(address, probeTimeout)
			if err == nil {
				_ = connection.Close()
			}
			b.pool.note(address, err == nil)
		})
	}
	asked.Wait()
}

// carry moves bytes between a client and the first server that takes the connection.
func (b *balancer) carry(client net.Conn) {
	defer client.Close()
	for _, address := range b.pool.order() {
		server, err := b.dial(address, dialTimeout)
		if err != nil {
			b.pool.note(address, false)
			continue
		}
		defer server.Close()
		forget, isListed := b.pool.hold(address, func() {
			_ = client.Close()
			_ = server.Close()
		})
		if !isListed {
			continue
		}
		defer forget()
		join(client, server)
		return
	}
	klog.V(2).Info("no API server takes a connection")
}

// join copies both ways, and passes on the end of each half: a client that has said all may still wait for its answer.
func join(client, server net.Conn) {
	var both sync.WaitGroup
	copyHalf := func(to, from net.Conn) {
		_, err := io.Copy(to, from)
		if err != nil && !errors.Is(err, io.EOF) {
			// A broken half has no answer to wait for.
			_ = to.Close()
			_ = from.Close()
			return
		}
		if half, can := to.(*net.TCPConn); can {
			_ = half.CloseWrite()
		}
	}
	both.Go(func() { copyHalf(server, client) })
	both.Go(func() { copyHalf(client, server) })
	both.Wait()
}
