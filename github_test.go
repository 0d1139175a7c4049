package dovetail_test

import (
	"bufio"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// readYAML reads one file of .github, strictly for the fields that into has.
func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func files(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		t.Fatalf("no file is called %s (%v)", pattern, err)
	}
	return found
}

// What has to pass is in .ci/run and runs on any machine: a workflow that has steps of its own would pass where that
// fails.
func TestWorkflowsRunNothingOfTheirOwn(t *testing.T) {
	t.Parallel()
	for _, file := range files(t, ".github/workflows/*.yml") {
		var workflow struct {
			Permissions map[string]string
			Jobs        map[string]struct {
				TimeoutMinutes int `json:"timeout-minutes"`
				Steps          []step
			}
		}
		readYAML(t, file, &workflow)
		allowed, runs := map[string]string{"contents": "read"}, []string{".ci/run"}
		if filepath.Base(file) == "release.yml" {
			// It alone uploads, and only after everything has passed.
			allowed = map[string]string{"contents": "write", "packages": "write", "id-token": "write"}
			runs = append(runs, ".ci/release")
		}
		if !maps.Equal(workflow.Permissions, allowed) {
			t.Errorf("%s: has the permissions %v, not %v", file, workflow.Permissions, allowed)
		}
		for name, job := range workflow.Jobs {
			if job.TimeoutMinutes == 0 {
				t.Errorf("%s: job %s has no timeout", file, name)
			}
			run, foreign := commands(job.Steps)
			if len(foreign) > 0 {
				t.Errorf("%s: job %s uses actions that are not GitHub's own: %q", file, name, foreign)
			}
			if !slices.Equal(run, runs) {
				t.Errorf("%s: job %s runs %q, not %q", file, name, run, runs)
			}
		}
	}
}

// step is one of a workflow's job.
type step struct{ Uses, Run string }

// commands are what steps run, and foreign the actions they use that are not GitHub's own.
func commands(steps []step) (run, foreign []string) {
	for _, s := range steps {
		if s.Run != "" {
			run = append(run, s.Run)
		}
		if s.Uses != "" && !strings.HasPrefix(s.Uses, "actions/") {
			foreign = append(foreign, s.Uses)
		}
	}
	return run, foreign
}

// Every module gets new versions proposed.
func TestDependabotKnowsEveryModule(t *testing.T) {
	t.Parallel()
	var config struct {
		Updates []struct {
			Ecosystem   string `json:"package-ecosystem"`
			Directories []string
		}
	}
	readYAML(t, ".github/dependabot.yml", &config)
	var known []string
	for _, update := range config.Updates {
		if update.Ecosystem == "gomod" {
			known = append(known, update.Directories...)
		}
	}
	err := walk(func(file string) error {
		dir := "/" + strings.TrimSuffix(strings.TrimSuffix(file, "go.mod"), "/")
		if filepath.Base(file) == "go.mod" && !slices.Contains(known, dir) {
			t.Errorf("%s: dependabot does not know the module", file)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// An owner of a folder that is gone is asked to review nothing.
func TestOwnedFoldersAreThere(t *testing.T) {
	t.Parallel()
	file, err := os.Open(".github/CODEOWNERS")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }() // was read only
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		if len(fields) < 2 {
			t.Errorf("%s has no owner", fields[0])
		}
		if _, err := os.Stat("." + fields[0]); fields[0] != "*" && err != nil {
			t.Errorf("%s is owned and is not there: %v", fields[0], err)
		}
	}
}

// GitHub drops a form that has two fields of one id, or none that must be filled, without a word.
func TestIssueFormsAreWhole(t *testing.T) {
	t.Parallel()
	for _, file := range files(t, ".github/ISSUE_TEMPLATE/*.yml") {
		if filepath.Base(file) == "config.yml" {
			continue
		}
		var form struct {
			Name, Description string
			Body              []struct {
				Type, ID    string
				Attributes  struct{ Label, Value string }
				Validations struct{ Required bool }
			}
		}
		readYAML(t, file, &form)
		if form.Name == "" || form.Description == "" {
			t.Errorf("%s has no name or no description", file)
		}
		ids, required := map[string]bool{}, false
		for _, field := range form.Body {
			if field.Type == "markdown" {
				continue
			}
			if field.ID == "" || ids[field.ID] || field.Attributes.Label == "" {
				t.Errorf("%s: the field %q has no label, no id, or that of another", file, field.ID)
			}
			ids[field.ID], required = true, required || field.Validations.Required
		}
		if !required {
			t.Errorf("%s: nothing must be filled in", file)
		}
	}
}
