// Command reference writes docs/reference: the pages of flags, metrics, events, conditions and fields that are
// worked out from the code, so that they cannot fall behind it.
//
// It reads the tables that the daemon itself uses, the CustomResourceDefinitions, and the comments of the
// condition types in api. It runs at the root of the checkout:
//
//	go run ./hack/reference          # writes the pages
//	go run ./hack/reference -check   # writes nothing and fails where a page is out of date
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// folder holds nothing but generated pages.
const folder = "docs/reference"

func main() {
	check := flag.Bool("check", false, "write nothing; fail where a page is out of date")
	flag.Parse()
	if err := run(".", *check); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

// run writes the pages of the checkout at root, or compares them.
func run(root string, check bool) error {
	pages, err := pages(root)
	if err != nil {
		return err
	}
	if check {
		return compare(filepath.Join(root, folder), pages)
	}
	return write(filepath.Join(root, folder), pages)
}

// pages are the texts by name of file.
func pages(root string) (map[string]string, error) {
	conditions, err := conditionsPage(root)
	if err != nil {
		return nil, err
	}
	out := map[string]string{
		"flags.md":      flagsPage(),
		"metrics.md":    metricsPage(),
		"events.md":     eventsPage(),
		"conditions.md": conditions,
	}
	var kinds []string
	for _, page := range kindPages() {
		out[page.file] = page.text
		kinds = append(kinds, fmt.Sprintf("- [%s](%s)", page.kind, page.file))
	}
	out["README.md"] = indexPage(kinds)
	return out, nil
}

// write replaces what is in the folder. A page that is no longer made goes.
func write(dir string, pages map[string]string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		return err
	}
	for _, file := range old {
		if _, still := pages[filepath.Base(file)]; still {
			continue
		}
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(pages[name]), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// compare says which pages differ from what is in the folder.
func compare(dir string, pages map[string]string) error {
	var stale []string
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		have, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(have) != pages[name] {
			stale = append(stale, name)
		}
	}
	old, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return err
	}
	for _, file := range old {
		if _, known := pages[filepath.Base(file)]; !known {
			stale = append(stale, filepath.Base(file))
		}
	}
	if len(stale) > 0 {
		return fmt.Errorf("pages in %s are out of date: %v; run make generate and commit the result", dir, stale)
	}
	return nil
}
