package manifest

import (
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/dovetail-sh/dovetail/internal/convert"
)

// StandardInput is the name of the Source that is read from standard input.
const StandardInput = "standard input"

// Sources reads files, directories with all below them, and "-" for standard input, and parses nothing.
func Sources(paths []string, stdin io.Reader) ([]convert.Source, error) {
	var out []convert.Source
	for _, path := range paths {
		if path == "-" {
			text, err := io.ReadAll(stdin)
			if err != nil {
				return nil, fmt.Errorf("reading %s: %w", StandardInput, err)
			}
			out = append(out, convert.Source{Name: StandardInput, Text: text})
			continue
		}
		files, err := filesOf(path)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("reading manifests: %w", err)
			}
			out = append(out, convert.Source{Name: file, Text: text})
		}
	}
	return out, nil
}

// today converts sources that hold objects for older releases, and says so.
func (s *Set) today(sources []convert.Source) ([]convert.Source, error) {
	if !slices.ContainsFunc(sources, func(source convert.Source) bool { return convert.Old(string(source.Text)) }) {
		return sources, nil
	}
	result, err := convert.Files(sources, convert.Options{Role: convert.AnyRole})
	if err != nil {
		return nil, fmt.Errorf("reading manifests for an older release of Karpenter: %w", err)
	}
	out := make([]convert.Source, 0, len(sources))
	for _, file := range result.Files {
		out = append(out, convert.Source{Name: file.Name, Text: file.Text})
		if file.Changed {
			s.Notes = append(
				s.Notes,
				file.Name+" is for an older release of Karpenter and is read as dovetail convert rewrites it",
			)
		}
	}
	s.Notes = append(s.Notes, result.Notes...)
	return out, nil
}
