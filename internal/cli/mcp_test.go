package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"pgregory.net/rapid"
)

// greeting begins every conversation.
const greeting = `{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"2025-06-18",` +
	`"capabilities":{},"clientInfo":{"name":"t","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
`

// heard is one message of the server's.
type heard struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Method  string          `json:"method"`
	Error   *struct {
		Code    int
		Message string
	} `json:"error"`
	Result *struct {
		IsError bool
		Content []struct{ Text string }
	} `json:"result"`
}

// complaint is what is said to be wrong; empty for an answer.
func (h *heard) complaint() string {
	switch {
	case h.Error != nil:
		return h.Error.Message
	case h.Result != nil && h.Result.IsError && len(h.Result.Content) == 1:
		return h.Result.Content[0].Text
	}
	return ""
}

// talk says lines, hangs up, and is what came back by the ids of questions. Whatever was said, the server ends in
// peace, and says only JSON-RPC.
func talk(t testing.TB, lines string) map[string][]heard {
	t.Helper()
	return talkOf(t, given{{"filename", "testdata/fleet.yaml"}, {"now", "2026-12-01T00:00:00Z"}}, lines)
}

// talkOf is talk about something else.
func talkOf(t testing.TB, flags given, lines string) map[string][]heard {
	t.Helper()
	var out bytes.Buffer
	transport := newLineTransport(strings.NewReader(greeting+lines), &out)
	err := newAssistant(flags).Run(t.Context(), transport)
	if !transport.Ended() {
		t.Fatalf("it ended before all was said: %v", err)
	}
	answers := map[string][]heard{}
	for line := range strings.Lines(out.String()) {
		var h heard
		if err := json.Unmarshal([]byte(line), &h); err != nil || h.Version != "2.0" {
			t.Fatalf("%q: %v", line, err)
		}
		if h.Method != "" {
			continue // it tells what there is
		}
		if h.Error != nil && (h.Error.Message == "" || h.Error.Code >= 0) {
			t.Errorf("an error that says nothing: %s", line)
		}
		if strings.Count(strings.TrimSpace(h.complaint()), "\n") > 0 {
			t.Errorf("an error of several lines: %s", line)
		}
		answers[string(h.ID)] = append(answers[string(h.ID)], h)
	}
	return answers
}

func call(id int, tool, arguments string) string {
	return fmt.Sprintf(
		`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":%s}}`+"\n",
		id,
		tool,
		arguments,
	)
}

// Whatever an assistant asks gets one answer; what is wrong with a question is said in a line.
func TestAssistantsAreToldWhatIsWrong(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 2000)
	questions := []struct{ tool, arguments, want string }{
		{"no_such_tool", `{}`, `unknown tool "no_such_tool"`},
		{"explain_pod", `{}`, `missing properties: ["name"]`},
		{"explain_pod", `{"name":5}`, `want "string"`},
		{"explain_pod", `{"name":null}`, `want "string"`},
		{"explain_pod", `{"name":["a"]}`, `want "string"`},
		{"explain_node", `{"name":""}`, "minLength"},
		{"explain_node", `{"name":"` + long + `"}`, "maxLength"},
		{"explain_node", `{"nme":"web-1"}`, "nme"},
		{"explain_node", `{"name":"wbe-1"}`, "there is no node wbe-1; did you mean web-1?"},
		{"explain_node", `{"name":"--help"}`, "there is no node --help"},
		{"explain_node", `{"name":"a\nb"}`, "there is no node a b"},
		{"explain_pool", `{"name":"wbe"}`, "there is no NodePool wbe; did you mean web?"},
		{"explain_pool", `[]`, "arguments"},
		{"explain_pod", `{"name":"nowhere/ghost"}`, "there is no pod nowhere/ghost"},
		{"costs", `{"name":"web"}`, "name"},
		{"history", `{"since":"-5h"}`, "files have no history"},
	}
	var all strings.Builder
	for i, q := range questions {
		all.WriteString(call(i, q.tool, q.arguments))
	}
	answers := talk(t, all.String())
	for i, q := range questions {
		if got := answers[fmt.Sprint(i)]; len(got) != 1 || !strings.Contains(got[0].complaint(), q.want) {
			t.Errorf("%s %.60s: %+v; want %q", q.tool, q.arguments, got, q.want)
		}
	}
}

// A line that is no question is answered, and ends nothing.
func TestAssistantsMayMumble(t *testing.T) {
	t.Parallel()
	answers := talk(t, `{"jsonrpc":"2.0","id":1,"method":"no/such"}
{"jsonrpc":"2.0","id":2,"method":"tools/call"}
{"jsonrpc":"1.0","id":3,"method":"tools/list"}
{"id":4}
{"jsonrpc":"2.0","id":5,"method":"ping"}
`)
	for id, want := range map[string]string{
		"1": "no/such", "2": "params", "3": `invalid message version tag "1.0"`, "4": "version tag", "5": "",
	} {
		got := answers[id]
		if len(got) != 1 || !strings.Contains(got[0].complaint(), want) ||
			(got[0].complaint() == "") != (want == "") {
			t.Errorf("%s: %+v; want %q", id, got, want)
		}
	}
	for line, want := range map[string]string{
		"what is this?": "this is no JSON",
		"[]":            "an object",
		`[{"jsonrpc":"2.0","id":1,"method":"ping"}]`: "an object",
		"5": "an object", `{"jsonrpc":"2.0","id":null,"method":"tools/list"}`: "the id is null",
		`{"a":"` + strings.Repeat("x", longestLine) + `"}`: "longer than 4 MiB",
	} {
		got := talkOf(t, little, line+"\n"+`{"jsonrpc":"2.0","id":7,"method":"ping"}`)
		if len(got["null"]) != 1 || !strings.Contains(got["null"][0].complaint(), want) {
			t.Errorf("%.60q: %+v; want %q", line, got["null"], want)
		}
		if len(got["7"]) != 1 || got["7"][0].complaint() != "" {
			t.Errorf("after %.60q: %+v", line, got["7"])
		}
	}
}

// Many at once are all answered, each once; what is taken back is not, and keeps nobody waiting.
func TestAssistantsMayAskManyThingsAtOnce(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for id := range 12 {
		all.WriteString(call(id, "check", "{}"))
	}
	all.WriteString(call(100, "costs", "{}"))
	for _, id := range []string{"100", "{}", `"x"`, "null"} {
		fmt.Fprintf(&all, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%s}}`+"\n", id)
	}
	all.WriteString(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":[]}` + "\n")
	answers := talk(t, all.String())
	for id := range 12 {
		got := answers[fmt.Sprint(id)]
		if len(got) != 1 || got[0].complaint() != "" ||
			!strings.Contains(got[0].Result.Content[0].Text, `"Checkup"`) {
			t.Errorf("%d: %+v", id, got)
		}
	}
	if got := answers["100"]; len(got) > 1 {
		t.Errorf("what was taken back: %+v", got)
	}
}

// timed are the parts of an answer that are of the moment in which it was given.
var timed = regexp.MustCompile(`"(at|seconds|took)": [^\n]*`)

// Assistants are told what the commands say, to the last digit, whatever the server was started with.
func TestAssistantsSayWhatCommandsSay(t *testing.T) {
	t.Parallel()
	commands := map[string]string{
		"fleet":        "top --once",
		"explain_node": "explain node",
		"explain_pool": "explain pool",
		"explain_pod":  "explain pod",
		"costs":        "costs",
		"check":        "check",
	}
	for _, c := range []struct {
		flags []string
		names map[string]string
		not   string // takes too long
	}{
		{[]string{"--filename=testdata/fleet.yaml", "--now=2026-12-01T00:00:00Z"}, map[string]string{
			"explain_node": "web-1", "explain_pool": "web", "explain_pod": "default/carts-1"}, "costs"},
		{[]string{"--filename=testdata/shop", "--instance-types=testdata/types.json", "--effort=10"}, map[string]string{
			"explain_node": "n1", "explain_pool": "default", "explain_pod": "default/web-0"}, ""},
	} {
		var started given
		for _, f := range c.flags {
			name, value, _ := strings.Cut(strings.TrimPrefix(f, "--"), "=")
			started = append(started, struct{ name, value string }{name, value})
		}
		for i := range tools {
			tool := &tools[i]
			if tool.name == "history" || tool.name == c.not {
				continue // files have no history
			}
			args := append(strings.Fields(commands[tool.name]), "-o", "json")
			if c.names[tool.name] != "" {
				args = append(args, c.names[tool.name])
			}
			code, want, stderr := run(t, append(args, c.flags...)...)
			answer, _, err := started.answer(t.Context(), tool.name, tool.args(inquiry{Name: c.names[tool.name]}))
			if err != nil || code != 0 {
				t.Errorf("%s: %v; the command: exit code %d, %s", tool.name, err, code, stderr)
				continue
			}
			got := answer.Content[0].(*mcp.TextContent).Text
			if timed.ReplaceAllString(got, "") != timed.ReplaceAllString(want, "") {
				t.Errorf("%s %v says\n%s\nthe command says\n%s", tool.name, c.flags, got, want)
			}
		}
	}
}

// An assistant that goes away without a word is no failure.
func TestAssistantsMayLeave(t *testing.T) {
	t.Parallel()
	in, says := io.Pipe()
	root := newRoot(io.Discard, io.Discard)
	root.SetArgs([]string{"mcp", "-f", "testdata/fleet.yaml"})
	root.SetIn(in)
	done := make(chan error, 1)
	go func() { done <- root.ExecuteContext(t.Context()) }()
	if _, err := io.WriteString(says, greeting+call(1, "check", "{}")); err != nil {
		t.Fatal(err)
	}
	says.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// little is quickly planned.
var little = given{{"filename", "testdata/shop"}, {"instance-types", "testdata/types.json"}, {"effort", "0"}}

// Random questions of all tools: one answer each.
func TestRandomQuestionsOfAssistants(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		names := []string{"", "x", "Fleet", "explain"}
		for _, tool := range tools {
			names = append(names, tool.name)
		}
		value := rapid.OneOf(
			rapid.Map(
				rapid.String(),
				func(s string) any { return s },
			),
			rapid.Map(rapid.Float64(), func(x float64) any { return x }),
			rapid.Map(rapid.Int64(), func(x int64) any { return x }),
			rapid.Just(any(nil)),
			rapid.Just(any(true)),
			rapid.Just(
				any([]string{"web"}),
			),
			rapid.Just(any(map[string]any{"name": "web"})),
			rapid.Just(any("web-0")),
		)
		arguments := rapid.MapOfN(rapid.SampledFrom([]string{"name", "filter", "since", "other"}), value, 0, 2).
			Draw(rt, "arguments")
		text, err := json.Marshal(arguments)
		if err != nil {
			rt.Skip("no number of JSON")
		}
		got := talkOf(t, little, call(7, rapid.SampledFrom(names).Draw(rt, "tool"), string(text)))
		if len(got["7"]) != 1 || len(got) != 2 {
			rt.Fatalf("%+v", got)
		}
	})
}

// FuzzAssistants says anything: it ends in peace, and says only JSON-RPC.
func FuzzAssistants(f *testing.F) {
	for _, seed := range []string{
		"\x00", "{", "{}\n{}", "[[[[",
		`{"jsonrpc":"2.0","id":1.5,"method":"ping"}`, `{"jsonrpc":"2.0","id":"a","result":{}}`,
		`{"jsonrpc":"2.0","id":1,"method":"ping"}` + "\r\n" + `{"jsonrpc":"2.0","id":1,"method":"ping"}`,
		`{"jsonrpc":"2.0","ID":1,"id":2,"Method":"x","method":"ping"}`, greeting,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, lines string) { talkOf(t, little, lines) })
}
