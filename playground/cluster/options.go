package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// The parts that a cluster can have, by the names of their programs.
const (
	Etcd              = "etcd"
	APIServer         = "kube-apiserver"
	Scheduler         = "kube-scheduler"
	ControllerManager = "kube-controller-manager"
	Kwok              = "kwok"
)

// Name is the name of the cluster in kubeconfigs.
const Name = "playground"

// Full lists every part, in the order of starting.
var Full = []string{Etcd, APIServer, ControllerManager, Scheduler, Kwok}

// APIOnly lists the parts of an API server that nothing acts upon: objects can
// be stored and validated, but no pod is ever scheduled. It is the quickest to start.
var APIOnly = []string{Etcd, APIServer}

// Options say what to start. The zero value is a full cluster in a temporary directory.
type Options struct {
	// Dir holds everything that the cluster writes. It must be empty, absent, or
	// left by an earlier cluster, which is then continued with its objects.
	// Empty means a new directory under DefaultRoot.
	Dir string

	// Keep leaves Dir in place after Stop.
	Keep bool

	// Parts are names of Full, with or without "kube-". Empty means all of them.
	// etcd and kube-apiserver are always started.
	Parts []string

	// Binary is the playground's binary. Empty means the running program.
	Binary string

	// Programs are further processes to run once the parts are healthy, in this order.
	Programs []Program

	// Report is told what happens to the parts, from several goroutines. nil means nobody listens.
	Report func(Event)
}

// Program is a process that is not part of Kubernetes but lives and dies with the cluster.
type Program struct {
	// Name is unique in the cluster and names the log file.
	Name string
	// Binary is what is run. Empty means Options.Binary, whose first argument is the part's name.
	Binary string
	// Args is called once, when the parts and the programs before this one are healthy,
	// and returns the arguments.
	// It may also prepare what the program needs, in the cluster or in its directory.
	Args func(context.Context, *Cluster) ([]string, error)
	// Env returns additional environment variables, as "NAME=value"; nil means none.
	Env func(*Cluster) []string
	// Healthy is an address that answers 200 when the program is ready.
	// nil means that a program which runs is ready.
	Healthy func(*Cluster) string
	// ServingNames are what else than loopback the program is reached by over TLS. If there are any, certificate and
	// key are in pki/NAME.crt and pki/NAME.key of the cluster's directory before Args is called.
	ServingNames []string
	// Pod is how kubectl logs and port-forward reach the program, once there is a pod of that name. nil means not at
	// all.
	Pod *PodOfProgram
	// Page is the address of a web page for people; nil for none.
	Page func(*Cluster) string
}

// parts returns the chosen parts by their full names, in the order of starting.
func (o Options) parts() ([]string, error) {
	if len(o.Parts) == 0 {
		return Full, nil
	}
	chosen := map[string]bool{Etcd: true, APIServer: true}
	for _, name := range o.Parts {
		full := name
		if !slices.Contains(Full, full) {
			full = "kube-" + name
		}
		if !slices.Contains(Full, full) {
			return nil, fmt.Errorf("there is no part %q; choose from %s", name, strings.Join(Full, ", "))
		}
		chosen[full] = true
	}
	var parts []string
	for _, name := range Full {
		if chosen[name] {
			parts = append(parts, name)
		}
	}
	return parts, nil
}

// complete fills in defaults and reports every problem at once.
func (o Options) complete() (Options, error) {
	var errs []error
	parts, err := o.parts()
	if err != nil {
		errs = append(errs, err)
	}
	o.Parts = parts
	if o.Binary == "" {
		if o.Binary, err = os.Executable(); err != nil {
			errs = append(errs, fmt.Errorf("finding the running program: %w", err))
		}
	}
	if _, err := os.Stat(o.Binary); err != nil {
		errs = append(
			errs,
			fmt.Errorf("finding the playground's binary: %w; build it with `make playground-binary`", err),
		)
	}
	if o.Report == nil {
		o.Report = func(Event) {}
	}
	seen := map[string]bool{}
	for _, p := range o.Programs {
		if p.Name == "" || p.Args == nil || seen[p.Name] || slices.Contains(Full, p.Name) {
			errs = append(errs, fmt.Errorf("program %q needs a name of its own and arguments", p.Name))
		}
		seen[p.Name] = true
	}
	return o, errors.Join(errs...)
}
