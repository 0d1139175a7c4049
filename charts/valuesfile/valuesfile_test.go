package valuesfile_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/dovetail-sh/dovetail/charts/valuesfile"
)

const file = `
# About the file.

# How many.
replicas: 2
# How loud.
# @enum loud|quiet
level: quiet
image:
  # Which one.
  tag: ""
# Anything.
# @open
more: {a: 1}
`

func TestASchemaHoldsWhatTheFileSays(t *testing.T) {
	t.Parallel()
	v, err := valuesfile.Read([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	text, err := valuesfile.Schema(v, true)
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		AdditionalProperties bool
		Properties           map[string]struct {
			Description, Pattern string
			Type                 []string
			Properties           map[string]any
		}
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	p := schema.Properties
	if p["replicas"].Description != "How many." || !strings.HasPrefix(p["level"].Pattern, "^(loud|quiet|") {
		t.Errorf("got %+v", p)
	}
	if len(p["image"].Properties) != 1 || p["more"].Properties != nil || p["global"].Type == nil {
		t.Errorf("got %+v", p)
	}
	if table := valuesfile.Table(v); !strings.Contains(table, "| `image.tag` | `\"\"` | Which one. |") {
		t.Errorf("got %s", table)
	}
}

func TestWhatIsNotDescribedIsRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a: 1":                     "value a has no comment",
		"# What.\na: null":         "value a is null and has no @type",
		"# What.\n# @tpye x\na: 1": "there is no @tpye",
		"- a":                      "the file is no map",
	} {
		if _, err := valuesfile.Read([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}
