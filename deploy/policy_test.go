// Package deploy_test holds what users install in AWS against the calls that the provider really makes.
package deploy_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// names stand for a user's own in the policies.
var names = map[string]string{"partition": "aws", "region": "us-east-1", "account": "111122223333", "cluster": "demo"}

// document is an IAM policy.
type document struct {
	Version   string
	Statement []statement
}

type statement struct {
	Sid, Effect      string
	Action, Resource list
	Condition        map[string]map[string]list
}

// list is a string or several of them, as policies may spell it.
type list []string

// UnmarshalJSON takes both.
func (l *list) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*l = list{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(l))
}

// fill puts a user's own names into a text.
func fill(text string, names map[string]string) string {
	return regexp.MustCompile(`\$\{([A-Za-z:]+)\}`).ReplaceAllStringFunc(text, func(hole string) string {
		return names[strings.Trim(hole, "${}")]
	})
}

// policies are the files in iam/, by name without ending.
func policies(t *testing.T) map[string]document {
	t.Helper()
	paths, err := filepath.Glob("iam/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d policies, %v", len(paths), err)
	}
	out := map[string]document{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(filepath.Base(path), ".json")] = parse(t, fill(string(text), names))
	}
	return out
}

func parse(t *testing.T, text string) document {
	t.Helper()
	var d document
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatalf("not a policy: %v\n%s", err, text)
	}
	return d
}

// need is one permission that a call takes.
type need struct {
	action, resource string // resource is an ARN
	context          map[string]string
}

func (n need) String() string {
	return fmt.Sprintf("%s on %s with %v", n.action, n.resource, n.context)
}

// allows finds the statement that allows a need.
func allows(all map[string]document, n need) (sid string, ok bool) {
	for _, d := range all {
		for _, s := range d.Statement {
			if s.Effect == "Allow" && slices.Contains(s.Action, n.action) &&
				slices.ContainsFunc(s.Resource, func(r string) bool { return like(r, n.resource) }) &&
				s.holds(n.context) {
				return s.Sid, true
			}
		}
	}
	return "", false
}

// holds reports whether all conditions of a statement are met.
func (s statement) holds(context map[string]string) bool {
	for operator, keys := range s.Condition {
		for key, values := range keys {
			have, there := context[key]
			met := there && slices.ContainsFunc(values, func(want string) bool {
				return operator == "StringEquals" && have == want || operator == "StringLike" && like(want, have)
			})
			if !met {
				return false
			}
		}
	}
	return true
}

// like matches IAM's wildcard *.
func like(pattern, text string) bool {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$").MatchString(text)
}
