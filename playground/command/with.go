package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dovetail-sh/dovetail/playground/cluster"
)

// programs are what `--with` can add, in the order of starting. Each runs a
// part of the part.Table as a child of the cluster.
var programs []cluster.Program

func programNames() []string {
	var names []string
	for _, p := range programs {
		names = append(names, p.Name)
	}
	return names
}

// programsNamed returns the named programs, in the order of starting.
func programsNamed(names []string) ([]cluster.Program, error) {
	var chosen []cluster.Program
	for _, p := range programs {
		if slices.Contains(names, p.Name) {
			chosen = append(chosen, p)
		}
	}
	for _, name := range names {
		if !slices.Contains(programNames(), name) {
			return nil, fmt.Errorf("--with: there is no program %q; choose from %s", name, strings.Join(programNames(), ", "))
		}
	}
	return chosen, nil
}
