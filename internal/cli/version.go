package cli

import (
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// versionAnswer is what version prints.
type versionAnswer struct {
	view.Header
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func newVersion() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArguments("version"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("-o", output, tableOrJSON); err != nil {
				return err
			}
			v := versionAnswer{Header: view.HeaderOf("Version"), Go: runtime.Version(), Platform: runtime.GOOS + "/" +
				runtime.GOARCH}
			v.Version, v.Commit = observe.Version()
			return write(cmd.OutOrStdout(), output, v, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "dovetail %s, commit %s, %s %s\n", v.Version, v.Commit, v.Go, v.Platform)
				return err
			})
		},
	}
	addOutput(cmd, &output)
	return cmd
}
