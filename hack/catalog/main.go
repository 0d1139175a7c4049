// Command catalog writes the EC2 instance catalogue that package catalog
// embeds: types.csv, regions.csv and offerings.csv.
//
// It reads two published Go modules, pinned in go.mod, and nothing from AWS:
// ec2-instances-info for specifications and prices, and AWS's
// amazon-vpc-resource-controller-k8s for network limits. What neither states
// is added from the tables in known.go. Equal inputs give equal files.
//
//	go run . -out ../../catalog          # write
//	go run . -out ../../catalog -check   # fail if the files would change
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	out := flag.String("out", "../../catalog", "folder of package catalog; the files go into its data folder")
	check := flag.Bool("check", false, "compare with the files there instead of writing them")
	flag.Parse()
	if err := run(*out, *check); err != nil {
		fmt.Fprintln(os.Stderr, "catalog:", err)
		os.Exit(1)
	}
}

func run(out string, check bool) error {
	published, err := load()
	if err != nil {
		return err
	}
	types := specs(published)
	files := map[string][]byte{
		"types.csv":     typesCSV(types),
		"regions.csv":   regionsCSV(),
		"offerings.csv": offeringsCSV(published, types),
	}
	for name, want := range files {
		path := filepath.Join(out, "data", name)
		if !check {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				return fmt.Errorf("writing %s: %w", path, err)
			}
			continue
		}
		got, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("reading %s: %w", path, err)
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("%s is out of date: run go run . -out %s in hack/catalog", path, out)
		}
	}
	return nil
}
