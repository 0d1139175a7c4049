package cli

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// Main runs the command line and returns the exit code: 0, 1 for a failure, 2 for a command that was written wrong, 3
// for an answer that was asked for with --exit-code, 4 for one that crosses what a flag allows, 130 and 143 for a
// command that a signal ended (a context whose cause is Stopped). Answers go to stdout, and nothing else does. Errors
// are printed once, in full, to stderr.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot(stdout, stderr)
	root.SetArgs(args)
	return codeOf(ctx, execute(ctx, root, args), stderr)
}

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "dovetail",
		Short: "Buys the cheapest nodes that your pods fit on, and keeps them fitting",
		Long: `Buys the cheapest nodes that your pods fit on, and keeps them fitting.

To begin with: ` + "`dovetail top`" + ` shows the fleet of the cluster that kubectl speaks to, ` + "`dovetail explain pod NAME`" + ` says why a
pod waits, ` + "`dovetail plan`" + ` what would change, and ` + "`dovetail simulate -f FILES`" + ` plans without any cluster.

Exit codes: 0 done, 1 failed, 2 written wrong (nothing was contacted or changed), 3 with --exit-code: the answer is yes,
4 the answer crosses a limit that a flag sets, 130 interrupted.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	// kubectl finds plugins by the names of their files.
	if strings.HasPrefix(filepath.Base(os.Args[0]), "kubectl-") {
		root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl dovetail"}
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.AddCommand(
		newController(os.LookupEnv),
		newConfig(os.LookupEnv),
		newSim(os.LookupEnv),
		newSimulate(),
		newExplain(),
		newReplay(),
		newVersion(),
	)
	root.AddCommand(newTop(), newPlan(), newCosts(), newCheck(), newConvert(), newHistory(), newShadow())
	root.AddCommand(newWeb(), newRecord(), newMCP(), newMan())
	root.SetHelpCommand(newHelp(root))
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd("completion")
	wrapHelp(root)
	gather(root)
	root.Args, root.RunE = unknown, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return root
}

// gather has all commands say in one line what is wrong with how they were called, and what would be right.
func gather(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		gather(sub)
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%w; `%s --help` lists the flags", err, cmd.CommandPath())
	})
	if cmd.HasSubCommands() && !cmd.Runnable() {
		cmd.SuggestionsMinimumDistance = 2 // edits
		cmd.Args, cmd.RunE = unknown, lacking
		return
	}
	if accepts := cmd.Args; accepts != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := accepts(cmd, args); err != nil {
				return usage("%w (usage: %s)", err, cmd.UseLine())
			}
			return nil
		}
	}
}

// unknown names in one line a command that is not there.
func unknown(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "`" + cmd.CommandPath() + " --help` lists what there is"
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return usage("there is no command %q below %s; %s", args[0], cmd.CommandPath(), hint)
}

// lacking says which commands there are below one that is none by itself.
func lacking(cmd *cobra.Command, _ []string) error {
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return usage("%s wants one of %s; `%s --help` says more", cmd.CommandPath(), strings.Join(names, ", "),
		cmd.CommandPath())
}
