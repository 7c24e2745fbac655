// One program for all of Kubernetes, etcd, CoreDNS, flannel and the node's balancer: it acts as what it was called by (argv[0]). The parts share
// most of their code, so that together they are little larger than the largest alone. Why these and not more:
// docs/adr/0012-kubernetes-in-few-programs.md. Started by systemd (kubelet, etcd) and in pods (all else); built by
// ../../build.ts. It never decides anything: arguments and files come from the node's agent.
package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coredns/coredns/coremain"
	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	kubeproxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	// Client authentication that kubectl's own main has: exec plugins and OIDC.
	_ "k8s.io/client-go/plugin/pkg/client/auth"
)

// What this file can be called. Each ends the process itself.
var programs = map[string]func(){
	"kubelet":                 component(func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) }),
	"kube-apiserver":          component(apiserver.NewAPIServerCommand),
	"kube-controller-manager": component(controllermanager.NewControllerManagerCommand),
	"kube-scheduler":          component(func() *cobra.Command { return scheduler.NewSchedulerCommand() }),
	"kube-proxy":              component(kubeproxy.NewProxyCommand),
	"kubectl":                 runKubectl,
	"etcd":                    func() { etcdmain.Main(os.Args) },
	"etcdutl":                 runEtcdutl,
	"coredns":                 coremain.Run,
	"flanneld":                runFlannel,
	"slipway-balancer":        runBalancer,
}

func main() {
	name := filepath.Base(os.Args[0])
	run, known := programs[name]
	if !known {
		fmt.Fprintf(os.Stderr, "%s: this file holds %s; call it by one of these names (a link will do)\n",
			name, strings.Join(slices.Sorted(maps.Keys(programs)), ", "))
		os.Exit(2)
	}
	if name != "coredns" {
		forgetCoreDNSFlags()
	}
	run()
}

func component(command func() *cobra.Command) func() {
	return func() { os.Exit(cli.Run(command())) }
}

// As kubectl's own main: its verbosity counts before its command is made, its errors are printed in its own way.
func runKubectl() {
	_, _ = logs.GlogSetter(kubectl.GetLogVerbosity(os.Args))
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
	}
}

// CoreDNS puts flags into the process's own set when it is linked in (-conf, -p, -version and more). kube-proxy would take
// all of that set for its own; cAdvisor's flags, which it and the kubelet want, stay.
func forgetCoreDNSFlags() {
	coreDNS := map[string]bool{"conf": true, "plugins": true, "pidfile": true, "version": true, "quiet": true,
		"log-format": true, "dns.port": true, "p": true}
	kept := flag.NewFlagSet(os.Args[0], flag.ExitOnError)
	flag.VisitAll(func(each *flag.Flag) {
		if !coreDNS[each.Name] {
			kept.Var(each.Value, each.Name, each.Usage)
		}
	})
	flag.CommandLine = kept
}
