package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/internal/observe"
)

// mcpLong says what there is to ask.
const mcpLong = `Answer assistants over the Model Context Protocol, on standard input and output.

There are tools for what the commands say: fleet, explain_pod, explain_node, explain_pool, history, costs and check.
Each reads the cluster of KUBECONFIG, or files given with -f, as far as you may read it. Nothing can be changed by
them.`

func newMCP() *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use:     "mcp",
		Short:   "Answer assistants over the Model Context Protocol; nothing can be changed",
		Long:    mcpLong,
		Example: `  claude mcp add dovetail -- dovetail mcp`,
		Args:    noNames("mcp"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(cmd.Flags()); err != nil {
				return err
			}
			err := newAssistant(&f).Run(cmd.Context(), &mcp.IOTransport{
				Reader: io.NopCloser(cmd.InOrStdin()), Writer: unclosed{cmd.OutOrStdout()},
			})
			if cmd.Context().Err() != nil {
				return nil
			}
			return err
		},
	}
	f.watch(cmd, "json")
	cmd.Flags().Lookup("output").Hidden = true
	return cmd
}

// unclosed is a stream that outlives who writes to it.
type unclosed struct{ io.Writer }

// Close does nothing.
func (unclosed) Close() error { return nil }

// inquiry is what a tool is asked; each uses what it needs.
type inquiry struct {
	Name   string `json:"name,omitempty" jsonschema:"NAMESPACE/NAME of a pod, or the name of a node or NodePool"`
	Filter string `json:"filter,omitempty" jsonschema:"only machines with these words: pool=web !phase=ready"`
	Since  string `json:"since,omitempty" jsonschema:"only claims that were there in this time until now, such as 24h"`
}

// tools are the commands that answer questions, as an assistant is told of them.
var tools = []struct {
	name, does string
	args       func(q inquiry) []string
}{
	{
		"fleet",
		"The cluster's machines with price, use, phase and why each is still there; pods that wait and why; " +
			"NodePools with limits and budgets; moves.",
		func(q inquiry) []string { return []string{"top", "--once", "-o", "json", "--filter", q.Filter} },
	},
	{
		"explain_pod",
		"Where a pod goes, or what every node and offering has against it, and the smallest change that would " +
			"place it, proven by a plan. Name: NAMESPACE/NAME.",
		func(q inquiry) []string { return []string{"explain", "pod", "-o", "json", "--", q.Name} },
	},
	{
		"explain_node",
		"What is on a node, why it is still there, and the smallest change that would free it, proven by a plan.",
		func(q inquiry) []string { return []string{"explain", "node", "-o", "json", "--", q.Name} },
	},
	{"explain_pool", "A NodePool's nodes, limits, budgets, and what keeps its nodes.",
		func(q inquiry) []string { return []string{"explain", "pool", "-o", "json", "--", q.Name} }},
	{"history", "Every NodeClaim that is known of, why it came and why it went.",
		func(q inquiry) []string { return []string{"history", "-o", "json", "--since", either(q.Since, "0s")} }},
	{
		"costs",
		"What each rule of the cluster costs in dollars: spreads, budgets, limits, requirements; each figure is " +
			"checked by a plan without it.",
		func(inquiry) []string { return []string{"costs", "-o", "json"} },
	},
	{"check", "Faults that keep nodes from being bought, used well or given up, with the command that mends each.",
		func(inquiry) []string { return []string{"check", "-o", "json"} }},
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// newAssistant is a server whose tools run the commands themselves, so that they say the same to the cent.
func newAssistant(f *planFlags) *mcp.Server {
	version, _ := observe.Version()
	server := mcp.NewServer(
		&mcp.Implementation{Name: "dovetail", Title: "Dovetail", Version: version},
		&mcp.ServerOptions{
			Instructions: "Reasons, prices and plans of a Kubernetes cluster whose nodes Karpenter or Dovetail " +
				"buys. Everything is read-only. Prices are in dollars an hour.",
		},
	)
	for _, tool := range tools {
		about := &mcp.Tool{
			Name:        tool.name,
			Description: tool.does,
			Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true, IdempotentHint: true},
		}
		mcp.AddTool(
			server,
			about,
			func(ctx context.Context, _ *mcp.CallToolRequest, q inquiry) (*mcp.CallToolResult, any, error) {
				return answerWith(
					ctx,
					f,
					tool.name,
					tool.args(q),
				)
			},
		)
	}
	return server
}

// answerIn is how long one answer may take.
const answerIn = 2 * time.Minute

// answerWith runs a command. An error of it is an answer, too: the assistant is to read it.
func answerWith(ctx context.Context, f *planFlags, tool string, args []string) (*mcp.CallToolResult, any, error) {
	ctx, stop := context.WithTimeout(ctx, answerIn)
	defer stop()
	for name, value := range map[string]string{"context": f.cluster.context, "kubeconfig": f.cluster.kubeconfig} {
		if value != "" && !f.offline() {
			args = slices.Insert(args, verbs(args), "--"+name+"="+value)
		}
	}
	if f.offline() {
		if tool == "history" {
			return nil, nil, fmt.Errorf("files have no history; ask a live cluster")
		}
		for _, file := range f.files {
			args = slices.Insert(args, verbs(args), "--filename", file)
		}
	}
	var out, complaints bytes.Buffer
	root := newRoot(&out, &complaints)
	root.SetArgs(args)
	root.SetIn(bytes.NewReader(nil))
	if err := root.ExecuteContext(ctx); err != nil {
		return nil, nil, err
	}
	if !json.Valid(out.Bytes()) {
		return nil, nil, fmt.Errorf("%s did not answer in JSON", tool)
	}
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: out.String()}}}, nil, nil
}

// verbs is how many words of a command line come before its flags.
func verbs(args []string) int {
	if args[0] == "explain" {
		return 2
	}
	return 1
}
