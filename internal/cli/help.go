package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// helpWidth is how wide help is where no terminal says how wide it is.
const helpWidth = 80

// wrapHelp has help fit on the terminal that it is printed to.
func wrapHelp(root *cobra.Command) {
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		width := widthOf(cmd.OutOrStdout())
		if width == 0 {
			width = helpWidth
		}
		long := cmd.Long
		if long == "" {
			long = cmd.Short
		}
		about := strings.TrimSpace(paragraphs(long, width))
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\n\n%s", about, usageOf(cmd, width))
		if err != nil { // cobra asks for none
			root.SetContext(context.WithValue(root.Context(), unhelped{}, err))
		}
	})
}

// unhelped is why help could not be written, in the context of the root.
type unhelped struct{}

// helped runs a command; help that could not be written is a failure of it.
func helped(ctx context.Context, root *cobra.Command) error {
	if err := root.ExecuteContext(ctx); err != nil {
		return err
	}
	err, _ := root.Context().Value(unhelped{}).(error)
	return err
}

// usageOf is how a command is called.
func usageOf(cmd *cobra.Command, width int) string {
	var b strings.Builder
	b.WriteString("Usage:\n")
	if cmd.Runnable() && !cmd.HasSubCommands() || cmd.Args != nil && cmd.HasAvailableLocalFlags() {
		b.WriteString(fold("  "+cmd.UseLine()+"\n", width))
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s COMMAND\n", cmd.CommandPath())
	}
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\nCommands:\n")
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				b.WriteString(fold(fmt.Sprintf("  %-*s  %s\n", sub.NamePadding(), sub.Name(), sub.Short), width))
			}
		}
	}
	if cmd.HasAvailableLocalFlags() {
		b.WriteString("\nFlags:\n" + fold(cmd.LocalFlags().FlagUsagesWrapped(width), width))
	}
	if cmd.HasAvailableInheritedFlags() {
		b.WriteString("\nFlags of all commands here:\n" + fold(cmd.InheritedFlags().FlagUsagesWrapped(width), width))
	}
	return b.String()
}

// paragraphs flows lines that belong together anew. Lists and whatever else is set in stay line by line.
func paragraphs(text string, width int) string {
	var out []string
	var open string
	end := func() {
		if open != "" {
			out = append(out, flow(open, width))
		}
		open = ""
	}
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case line == "":
			end()
			out = append(out, "")
		case strings.HasPrefix(line, " "):
			end()
			out = append(out, fold(line, width))
		case open != "":
			open += " " + line
		default:
			open = line
		}
	}
	end()
	return strings.Join(out, "\n")
}

// flow breaks a paragraph into lines.
func flow(text string, width int) string {
	var lines []string
	for text != "" {
		var line string
		line, text = cut(text, width)
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// newHelp is cobra's command help, but one that says so where there is no such command.
func newHelp(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Say more about a command",
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			at, _, err := root.Find(args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, sub := range at.Commands() {
				if sub.IsAvailableCommand() {
					names = append(names, cobra.CompletionWithDesc(sub.Name(), sub.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			at, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return unknown(root, args)
			}
			at.InitDefaultHelpFlag()
			return at.Help()
		},
	}
}
