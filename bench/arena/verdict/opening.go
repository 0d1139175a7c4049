package verdict

import (
	_ "embed"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"text/template"

	"github.com/dovetail-sh/dovetail/bench/arena/match"
)

//go:embed opening.md.tmpl
var openingText string

// openingPage is the beginning of the page.
var openingPage = template.Must(template.New("opening").Parse(openingText))

// facts are what the beginning of the page has to say of a session.
type facts struct {
	match.Results

	Form, Date, Versions string
	Minutes, Load        float64
}

// opening is what a reader has to know before the first figure.
func opening(results match.Results) (string, error) {
	f := facts{Results: results, Form: "in full", Minutes: math.Ceil(results.Took / 60)}
	if results.Short {
		f.Form = "in the short form"
	}
	for _, r := range results.Runs {
		f.Load = max(f.Load, r.Load)
	}
	f.Date, _, _ = strings.Cut(results.Began, "T")
	var versions []string
	for _, name := range slices.Sorted(maps.Keys(results.Versions)) {
		versions = append(versions, name+" "+results.Versions[name])
	}
	f.Versions = strings.Join(versions, ", ")
	var out strings.Builder
	if err := openingPage.Execute(&out, f); err != nil {
		return "", fmt.Errorf("writing the beginning of the page: %w", err)
	}
	return out.String(), nil
}
