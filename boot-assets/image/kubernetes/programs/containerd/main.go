// containerd and ctr in one program: what it does is chosen by the name it is called by. ctr imports the images that lie in
// the OS and answers a person's questions on a console; alone it would be two thirds of containerd again. Built by
// ../../build.ts with the tags no_btrfs, no_devmapper and no_zfs: snapshots are overlayfs here.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	_ "github.com/containerd/containerd/v2/cmd/containerd/builtins"
	"github.com/containerd/containerd/v2/cmd/containerd/command"
	ctr "github.com/containerd/containerd/v2/cmd/ctr/app"
)

func main() {
	name := filepath.Base(os.Args[0])
	app := command.App()
	if name == "ctr" {
		app = ctr.New()
	}
	if err := app.Run(context.Background(), os.Args); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}
