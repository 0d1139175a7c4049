// Command playground is a whole Kubernetes control plane in one file: the
// parts as programs of their own, and a command line that runs them together.
package main

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/dovetail-sh/dovetail/playground/command"
	"github.com/dovetail-sh/dovetail/playground/lifeline"
	"github.com/dovetail-sh/dovetail/playground/part"
)

// lastWords is how long a part may take to end after its starter is gone.
const lastWords = 5 * time.Second

func main() {
	if len(os.Args) > 1 {
		if p, ok := part.Find(os.Args[1]); ok {
			if err := lifeline.Watch(endWithStarter); err != nil {
				fmt.Fprintf(os.Stderr, "playground %s: %v\n", p.Name, err)
				os.Exit(1)
			}
			os.Exit(p.Run(os.Args[2:]))
		}
	}
	os.Exit(command.Run(os.Args[1:]))
}

// endWithStarter ends a part whose starter is gone: politely, then surely.
// All parts hear of it at the same moment, so the API server may find etcd
// gone and hang; that is what the second step is for.
func endWithStarter() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
	time.Sleep(lastWords)
	os.Exit(1)
}
