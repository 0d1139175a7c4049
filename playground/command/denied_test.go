package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dovetail-sh/dovetail/playground/cluster"
)

// Dovetail plays the stories with the rights of its chart: what they do not allow is found in its log.
func TestDeniedCallsAreFound(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		log  string
		want string // contained in the error; empty for none
	}{
		"Quiet": {"INFO launched\n", ""},
		"Denied": {
			"INFO launched\nERROR patching nodes \"a\" is forbidden: User \"x\" cannot patch resource\n",
			"cannot patch resource",
		},
		"Namespace": {
			"ERROR events \"a\" is forbidden: unable to create new content in namespace b because it is being " +
				"terminated\n",
			"",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "dovetail.log")
			if err := os.WriteFile(path, []byte(tc.log), 0o600); err != nil {
				t.Fatal(err)
			}
			err := denied(cluster.State{Parts: []cluster.PartState{{Name: withDovetail, Log: path}}})
			if (err != nil) != (tc.want != "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}
