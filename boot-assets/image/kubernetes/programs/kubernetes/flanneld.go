// flanneld with one backend (VXLAN), one source of leases (the Kubernetes API) and one way to write rules (nftables): what
// server/contract/kubernetes/flannel.ts renders. flannel's own main imports cloud backends whose modules cannot be had.
// Flags have flannel's names; -version prints to standard output.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/flannel-io/flannel/pkg/backend"
	_ "github.com/flannel-io/flannel/pkg/backend/vxlan"
	"github.com/flannel-io/flannel/pkg/ip"
	"github.com/flannel-io/flannel/pkg/ipmatch"
	"github.com/flannel-io/flannel/pkg/subnet"
	"github.com/flannel-io/flannel/pkg/subnet/kube"
	"github.com/flannel-io/flannel/pkg/trafficmngr/nftables"
	"github.com/flannel-io/flannel/pkg/version"
	"k8s.io/klog/v2"
)

const (
	annotationPrefix = "flannel.alpha.coreos.com"
	resyncSeconds    = 5
)

type flannelOptions struct {
	version       bool
	kubeSubnetMgr bool
	ipMasq        bool
	kubeconfig    string
	netConf       string
	subnetFile    string
	iface         string
}

func parseFlannelFlags(args []string) flannelOptions {
	var options flannelOptions
	flags := flag.NewFlagSet("flanneld", flag.ExitOnError)
	flags.BoolVar(&options.version, "version", false, "print version and exit")
	flags.BoolVar(&options.kubeSubnetMgr, "kube-subnet-mgr", false,
		"take the node's subnet from the Kubernetes API; there is no other source in this build")
	flags.BoolVar(&options.ipMasq, "ip-masq", false, "masquerade what leaves the pod network")
	flags.StringVar(&options.kubeconfig, "kubeconfig-file", "", "kubeconfig; empty: the pod's service account")
	flags.StringVar(&options.netConf, "net-config-path", "/etc/kube-flannel/net-conf.json", "network configuration")
	flags.StringVar(&options.subnetFile, "subnet-file", "/run/flannel/subnet.env", "where subnet and MTU are written to")
	flags.StringVar(&options.iface, "iface", "", "interface (name or address) that carries the nodes' traffic; "+
		"empty: that of the default route")
	klog.InitFlags(flags)
	_ = flags.Parse(args)
	return options
}

func runFlannel() {
	options := parseFlannelFlags(os.Args[1:])
	if options.version {
		fmt.Println(version.Version)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serveFlannel(ctx, options); err != nil && !errors.Is(err, context.Canceled) {
		klog.Errorf("flanneld: %v", err)
		klog.Flush()
		os.Exit(1)
	}
}

// serveFlannel joins this node to the pod network and keeps its routes until ctx ends.
func serveFlannel(ctx context.Context, options flannelOptions) error {
	if !options.kubeSubnetMgr {
		return errors.New("this build takes subnets from the Kubernetes API only; start it with --kube-subnet-mgr")
	}
	subnets, err := kube.NewSubnetManager(ctx, "", options.kubeconfig, annotationPrefix, options.netConf, true)
	if err != nil {
		return fmt.Errorf("subnet manager: %w", err)
	}
	config, err := subnets.GetNetworkConfig(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", options.netConf, err)
	}
	if !config.EnableNFTables {
		return fmt.Errorf("%s: EnableNFTables is false; this build writes nftables rules only", options.netConf)
	}
	if config.EnableIPv6 {
		return fmt.Errorf("%s: EnableIPv6 is true; this build carries IPv4 only", options.netConf)
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	network, err := registerNetwork(ctx, options, subnets, config, &running)
	if err != nil {
		return err
	}
	if err := writeRules(ctx, options, config, network); err != nil {
		return err
	}
	lease := network.Lease()
	if err := subnets.HandleSubnetFile(options.subnetFile, config, options.ipMasq, lease.Subnet, lease.IPv6Subnet,
		network.MTU()); err != nil {
		klog.Warningf("%s is not written: %v", options.subnetFile, err)
	}
	running.Go(func() { network.Run(ctx) })
	// Tells the API that the node's network is up. When that fails the pod starts anew; the rules and routes stay meanwhile.
	if err := subnets.CompleteLease(ctx, lease, &running); err != nil {
		return fmt.Errorf("tell the API that the network is up: %w", err)
	}
	<-ctx.Done()
	return nil
}

func registerNetwork(ctx context.Context, options flannelOptions, subnets subnet.Manager, config *subnet.Config,
	running *sync.WaitGroup) (backend.Network, error) {
	stack, err := ipmatch.GetIPFamily(config.EnableIPv4, config.EnableIPv6)
	if err != nil {
		return nil, err
	}
	// An address that a person wrote onto the Node as annotation comes first, as in flannel's own main.
	publicIP, publicIPv6 := subnets.GetStoredPublicIP(ctx)
	wanted := options.iface
	if wanted == "" {
		wanted = publicIP
	}
	external, err := ipmatch.LookupExtIface(wanted, "", "", stack,
		ipmatch.PublicIPOpts{PublicIP: publicIP, PublicIPv6: publicIPv6})
	if err != nil {
		return nil, fmt.Errorf("no interface for the pod network: %w", err)
	}
	vxlan, err := backend.NewManager(ctx, subnets, external).GetBackend(config.BackendType)
	if err != nil {
		return nil, fmt.Errorf("backend %q (this build has vxlan only): %w", config.BackendType, err)
	}
	network, err := vxlan.RegisterNetwork(ctx, running, config)
	if err != nil {
		return nil, fmt.Errorf("register with the pod network: %w", err)
	}
	return network, nil
}

// writeRules lets the pods' traffic pass, and masquerades what leaves the pod network. Rules of an earlier start are
// replaced: flannel's tables are its own.
func writeRules(ctx context.Context, options flannelOptions, config *subnet.Config, network backend.Network) error {
	rules := &nftables.NFTablesManager{}
	if err := rules.Init(ctx); err != nil {
		return fmt.Errorf("nftables: %w", err)
	}
	if options.ipMasq {
		var none ip.IP4Net
		var none6 ip.IP6Net
		if err := rules.SetupAndEnsureMasqRules(ctx, config.Network, none, none, config.IPv6Network, none6, none6,
			network.Lease(), resyncSeconds, false); err != nil {
			return fmt.Errorf("nftables, masquerade: %w", err)
		}
	}
	rules.SetupAndEnsureForwardRules(ctx, config.Network, config.IPv6Network, resyncSeconds)
	return nil
}
