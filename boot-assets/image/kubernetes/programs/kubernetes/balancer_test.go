// The balancer with real sockets on the loopback. Run alone, in seconds (docs/kubernetes-versions.md):
//
//	go test ./programs/kubernetes/balancer*.go
package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

// echoServer answers each line with its own name.
func echoServer(t *testing.T, name string) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				lines := bufio.NewScanner(connection)
				for lines.Scan() {
					_, _ = fmt.Fprintf(connection, "%s %s\n", name, lines.Text())
				}
			}()
		}
	}()
	return listener
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func writeConfig(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T, servers string) (listen, path string) {
	t.Helper()
	listen, path = freePort(t), filepath.Join(t.TempDir(), "balancer.json")
	writeConfig(t, path, fmt.Sprintf(`{"listen":%q,"servers":[%s]}`, listen, servers))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serveBalancer(ctx, path) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("serveBalancer: %v", err)
		}
	})
	return listen, path
}

func connect(t *testing.T, address string) net.Conn {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; {
		connection, err := net.Dial("tcp4", address)
		if err == nil {
			t.Cleanup(func() { _ = connection.Close() })
			return connection
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func ask(t *testing.T, connection net.Conn, text string) string {
	t.Helper()
	_ = connection.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = fmt.Fprintf(connection, "%s\n", text)
	line, err := bufio.NewReader(connection).ReadString('\n')
	if err != nil {
		return err.Error()
	}
	return line
}

func assertEnds(t *testing.T, connection net.Conn, within time.Duration) {
	t.Helper()
	_ = connection.SetReadDeadline(time.Now().Add(within))
	_, err := connection.Read(make([]byte, 1))
	if timeout, is := err.(net.Error); err == nil || (is && timeout.Timeout()) {
		t.Fatalf("the connection still stands after %v: %v", within, err)
	}
}

func quoted(listener net.Listener) string { return fmt.Sprintf("%q", listener.Addr()) }

func TestTakesTurnsAndGoesPastAServerThatRefuses(t *testing.T) {
	a, b := echoServer(t, "a"), echoServer(t, "b")
	listen, _ := start(t, fmt.Sprintf("%s,%q,%s", quoted(a), freePort(t), quoted(b)))
	counts := map[string]int{}
	for range 12 {
		counts[ask(t, connect(t, listen), "x")]++
	}
	if counts["a x\n"]+counts["b x\n"] != 12 || counts["a x\n"] < 3 || counts["b x\n"] < 3 {
		t.Fatalf("12 connections went to %v", counts)
	}
}

func TestPrefersTheOwnServerAndLeavesItWhenItIsDown(t *testing.T) {
	own, other := echoServer(t, "own"), echoServer(t, "other")
	listen, _ := start(t, fmt.Sprintf(`%s,{"address":%s,"prefer":true}`, quoted(other), quoted(own)))
	for range 4 {
		if answer := ask(t, connect(t, listen), "x"); answer != "own x\n" {
			t.Fatalf("went to %q", answer)
		}
	}
	_ = own.Close()
	if answer := ask(t, connect(t, listen), "x"); answer != "other x\n" {
		t.Fatalf("went to %q", answer)
	}
}

func TestEndsConnectionsOfARemovedServerAndKeepsTheOthers(t *testing.T) {
	a, b := echoServer(t, "a"), echoServer(t, "b")
	listen, path := start(t, quoted(a))
	old := connect(t, listen)
	ask(t, old, "x")
	writeConfig(t, path, fmt.Sprintf(`{"listen":%q,"servers":[%s,%s]}`, listen, quoted(a), quoted(b)))
	time.Sleep(1500 * time.Millisecond)
	if answer := ask(t, old, "y"); answer != "a y\n" {
		t.Fatalf("a list that still holds the server cut its connection: %q", answer)
	}
	writeConfig(t, path, fmt.Sprintf(`{"listen":%q,"servers":[%s]}`, listen, quoted(b)))
	assertEnds(t, old, 3*time.Second)
	if answer := ask(t, connect(t, listen), "z"); answer != "b z\n" {
		t.Fatalf("went to %q", answer)
	}
}

func TestABadFileLeavesTheLastGoodList(t *testing.T) {
	a := echoServer(t, "a")
	listen, path := start(t, quoted(a))
	for _, text := range []string{"{", `{"listen":"127.0.0.1:1","servers":[]}`, `{"listen":"x","servers":["no port"]}`} {
		writeConfig(t, path, text)
		time.Sleep(1200 * time.Millisecond)
		if answer := ask(t, connect(t, listen), "x"); answer != "a x\n" {
			t.Fatalf("after %s: %q", text, answer)
		}
	}
}

func TestThreeFailedProbesEndTheConnections(t *testing.T) {
	a := echoServer(t, "a")
	listen, _ := start(t, quoted(a))
	held := connect(t, listen)
	ask(t, held, "x")
	// The listener is gone, its connections stand: a server that hangs or whose machine lost its power looks so.
	_ = a.Close()
	assertEnds(t, held, 9*time.Second)
}

func TestOrder(t *testing.T) {
	pool := newServerPool([]balancerServer{{Address: "a"}, {Address: "own", Prefer: true}, {Address: "b"}, {Address: "a"}})
	want := [][]string{{"own", "a", "b"}, {"own", "b", "a"}, {"own", "a", "b"}}
	for _, each := range want {
		if got := pool.order(); !reflect.DeepEqual(got, each) {
			t.Fatalf("order is %v, not %v", got, each)
		}
	}
	pool.note("own", false)
	if got := pool.order(); !reflect.DeepEqual(got, []string{"b", "a", "own"}) {
		t.Fatalf("a server that is down must come last: %v", got)
	}
	pool.note("own", true)
	if got := pool.order(); got[0] != "own" {
		t.Fatalf("a server that is up again must come first: %v", got)
	}
}
