package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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
			if err := f.ready(cmd); err != nil {
				return err
			}
			transport := newLineTransport(cmd.InOrStdin(), cmd.OutOrStdout())
			err := newAssistant(startedWith(cmd.Flags())).Run(cmd.Context(), transport)
			if transport.Ended() || cmd.Context().Err() != nil {
				return nil
			}
			return err
		},
	}
	f.watch(cmd, "json")
	cmd.Flags().Lookup("output").Hidden = true
	return cmd
}

// ready looks at what the command was given before anybody asks.
func (f *planFlags) ready(cmd *cobra.Command) error {
	if err := f.check(cmd.Flags()); err != nil {
		return err
	}
	for _, file := range f.files {
		if _, err := os.Stat(file); err != nil {
			return usage("reading manifests: %w", err)
		}
	}
	if f.cluster.kubeconfig == "" && f.cluster.context == "" {
		return nil // a cluster that is not there yet may come
	}
	_, err := f.cluster.reach()
	return err
}

// inquiry is what a tool is asked; each uses what it needs.
type inquiry struct {
	Name   string `json:"name,omitempty"`
	Filter string `json:"filter,omitempty"`
	Since  string `json:"since,omitempty"`
}

// asks are what a tool may be asked, as JSON schemas: a name it must be.
func asks(what, about string) map[string]any {
	schema := map[string]any{"type": "object", "additionalProperties": false, "properties": map[string]any{}}
	switch what {
	case "":
		return schema
	case "name":
		schema["required"] = []string{"name"}
	}
	schema["properties"] = map[string]any{what: map[string]any{
		"type": "string", "description": about, "minLength": 1, "maxLength": 1024,
	}}
	return schema
}

// tools are the commands that answer questions, as an assistant is told of them.
var tools = []struct {
	name, does string
	asks       map[string]any
	args       func(q inquiry) []string
}{
	{
		"fleet",
		"The cluster's machines with price, use, phase and why each is still there; pods that wait and why; " +
			"NodePools with limits and budgets; moves.",
		asks("filter", "only machines with these words: pool=web !phase=ready"),
		func(q inquiry) []string { return []string{"top", "--once", "-o", "json", "--filter=" + q.Filter} },
	},
	{
		"explain_pod",
		"Where a pod goes, or what every node and offering has against it, and the smallest change that would " +
			"place it, proven by a plan.",
		asks("name", "NAMESPACE/NAME of the pod"),
		func(q inquiry) []string { return []string{"explain", "pod", "-o", "json", "--", q.Name} },
	},
	{
		"explain_node",
		"What is on a node, why it is still there, and the smallest change that would free it, proven by a plan.",
		asks("name", "the node's or its NodeClaim's"),
		func(q inquiry) []string { return []string{"explain", "node", "-o", "json", "--", q.Name} },
	},
	{"explain_pool", "A NodePool's nodes, limits, budgets, and what keeps its nodes.", asks("name", "the NodePool's"),
		func(q inquiry) []string { return []string{"explain", "pool", "-o", "json", "--", q.Name} }},
	{"history", "Every NodeClaim that is known of, why it came and why it went.",
		asks("since", "only claims that were there in this time until now, such as 24h"),
		func(q inquiry) []string { return []string{"history", "-o", "json", "--since=" + cmp.Or(q.Since, "0s")} }},
	{
		"costs",
		"What each rule of the cluster costs in dollars: spreads, budgets, limits, requirements; each figure is " +
			"checked by a plan without it.",
		asks("", ""),
		func(inquiry) []string { return []string{"costs", "-o", "json"} },
	},
	{"check", "Faults that keep nodes from being bought, used well or given up, with the command that mends each.",
		asks("", ""),
		func(inquiry) []string { return []string{"check", "-o", "json"} }},
}

// given are flags that the server was started with: each tool's command gets those that it has.
type given []struct{ name, value string }

// startedWith are the flags that somebody has set.
func startedWith(flags *pflag.FlagSet) (out given) {
	flags.Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, v := range values {
			out = append(out, struct{ name, value string }{f.Name, v})
		}
	})
	return out
}

// offline reports whether files are asked instead of a cluster.
func (g given) offline() bool {
	return slices.ContainsFunc(g, func(f struct{ name, value string }) bool {
		return f.name == "filename" || f.name == "trace"
	})
}

// to puts the flags that a command has between its words and the rest.
func (g given) to(root *cobra.Command, args []string) ([]string, error) {
	cmd, rest, err := root.Find(args)
	if err != nil {
		return nil, err
	}
	out := slices.Clone(args[:len(args)-len(rest)])
	for _, f := range g {
		if cmd.Flags().Lookup(f.name) != nil && f.name != "output" {
			out = append(out, "--"+f.name+"="+f.value)
		}
	}
	return append(out, rest...), nil
}

// newAssistant is a server whose tools run the commands themselves, so that they say the same to the cent.
func newAssistant(flags given) *mcp.Server {
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
			InputSchema: tool.asks,
			Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true, IdempotentHint: true},
		}
		mcp.AddTool(server, about,
			func(ctx context.Context, _ *mcp.CallToolRequest, q inquiry) (*mcp.CallToolResult, any, error) {
				return flags.answer(ctx, tool.name, tool.args(q))
			})
	}
	return server
}

// answerIn is how long one answer may take.
const answerIn = 2 * time.Minute

// turns are for so many answers at a time: each may plan a whole cluster.
var turns = make(chan struct{}, 4)

// answer runs a command. An error of it is an answer, too: the assistant is to read it.
func (g given) answer(ctx context.Context, tool string, args []string) (*mcp.CallToolResult, any, error) {
	if g.offline() && tool == "history" {
		return nil, nil, errors.New("files have no history; ask a live cluster")
	}
	ctx, stop := context.WithTimeoutCause(ctx, answerIn, fmt.Errorf("%s gave no answer within %s", tool, answerIn))
	defer stop()
	select {
	case turns <- struct{}{}:
		defer func() { <-turns }()
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
	var out, complaints bytes.Buffer
	root := newRoot(&out, &complaints)
	args, err := g.to(root, args)
	if err != nil {
		return nil, nil, err
	}
	root.SetArgs(args)
	root.SetIn(bytes.NewReader(nil))
	if err := execute(ctx, root, args); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, nil, told{err}
	}
	if !json.Valid(out.Bytes()) {
		return nil, nil, fmt.Errorf("%s did not answer in JSON", tool)
	}
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: out.String()}}}, nil, nil
}
