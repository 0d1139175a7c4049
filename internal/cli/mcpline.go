package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// longestLine is how many bytes one message may have.
const longestLine = 4 << 20

// lineTransport speaks JSON-RPC line by line. A line that is no message gets an error for an answer and ends nothing,
// and once the assistant has said all, what it has asked is still answered.
type lineTransport struct {
	in  io.Reader
	out io.Writer

	mu      sync.Mutex // guards what follows, and writing
	waiting map[jsonrpc.ID]bool
	done    chan struct{} // closed once nothing more comes, and all is answered
	over    bool          // nothing more comes

	incoming chan jsonrpc.Message
	closed   chan struct{}
	once     sync.Once
}

func newLineTransport(in io.Reader, out io.Writer) *lineTransport {
	return &lineTransport{
		in: in, out: out, waiting: map[jsonrpc.ID]bool{}, done: make(chan struct{}),
		incoming: make(chan jsonrpc.Message), closed: make(chan struct{}),
	}
}

// Connect begins to read.
func (t *lineTransport) Connect(context.Context) (mcp.Connection, error) {
	go t.listen()
	return t, nil
}

// Ended reports whether the assistant has ended the conversation.
func (t *lineTransport) Ended() bool {
	select {
	case <-t.done:
		return true
	default:
		return false
	}
}

// listen hands on messages, and answers what is none.
func (t *lineTransport) listen() {
	lines := bufio.NewReader(t.in)
	for {
		line, long, err := readLine(lines)
		switch text := bytes.TrimSpace(line); {
		case long:
			t.complain(nil, jsonrpc.CodeInvalidRequest, "the message is longer than 4 MiB")
		case len(text) > 0:
			t.hear(text)
		}
		if err != nil {
			t.mu.Lock()
			t.over = true
			t.settle()
			t.mu.Unlock()
			return
		}
	}
}

// readLine reads to the end of a line, and keeps no more of it than a message may have.
func readLine(r *bufio.Reader) (line []byte, long bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if long = long || len(line)+len(part) > longestLine; long {
			line = nil
		} else {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, long, err
		}
	}
}

func (t *lineTransport) hear(text []byte) {
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil {
		if json.Valid(text) {
			t.complain(nil, jsonrpc.CodeInvalidRequest, "want one JSON-RPC message on each line, an object")
			return
		}
		t.complain(nil, jsonrpc.CodeParseError, "this is no JSON: "+err.Error())
		return
	}
	message, err := jsonrpc.DecodeMessage(text)
	if err != nil {
		t.complain(parts["id"], jsonrpc.CodeInvalidRequest, err.Error())
		return
	}
	if request, ok := message.(*jsonrpc.Request); ok {
		switch id, has := parts["id"]; {
		case has && !request.ID.IsValid():
			t.complain(nil, jsonrpc.CodeInvalidRequest, "the id is null; want a number or a text")
			return
		case has && !t.await(request.ID):
			t.complain(id, jsonrpc.CodeInvalidRequest, "this id is of a question that is still being answered")
			return
		}
		t.forget(request)
	}
	select {
	case t.incoming <- message:
	case <-t.closed:
	}
}

// await notes that a question wants an answer; it is false for one whose id is in use.
func (t *lineTransport) await(id jsonrpc.ID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting[id] {
		return false
	}
	t.waiting[id] = true
	return true
}

// forget expects no answer to a question that is taken back.
func (t *lineTransport) forget(request *jsonrpc.Request) {
	if request.Method != "notifications/cancelled" {
		return
	}
	var of struct{ RequestID any }
	if json.Unmarshal(request.Params, &of) != nil {
		return
	}
	if id, err := jsonrpc.MakeID(of.RequestID); err == nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.waiting, id)
		t.settle()
	}
}

// settle ends the conversation once all is said and answered. The lock is held.
func (t *lineTransport) settle() {
	if t.over && len(t.waiting) == 0 {
		t.over = false
		close(t.done)
	}
}

// complain answers what is no message. id is nil where it cannot be told.
func (t *lineTransport) complain(id json.RawMessage, code int, what string) {
	if id == nil {
		id = json.RawMessage("null")
	}
	type fault struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
	text, err := json.Marshal(struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Error   fault           `json:"error"`
	}{"2.0", id, fault{code, what}})
	if err != nil {
		return // an id that is no JSON does not come here
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	_, _ = t.out.Write(append(text, '\n')) // whoever does not listen hears no complaint
}

// Read is the next message, and io.EOF once all is said and answered.
func (t *lineTransport) Read(ctx context.Context) (jsonrpc.Message, error) {
	select {
	case m := <-t.incoming:
		return m, nil
	case <-t.done:
		return nil, io.EOF
	case <-t.closed:
		return nil, io.EOF
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Write sends a message. The answer to a question that was taken back is kept to itself.
func (t *lineTransport) Write(_ context.Context, m jsonrpc.Message) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if answer, ok := m.(*jsonrpc.Response); ok {
		if !t.waiting[answer.ID] {
			return nil
		}
		delete(t.waiting, answer.ID)
		defer t.settle()
		answer.Error = numbered(answer.Error)
	}
	text, err := jsonrpc.EncodeMessage(m)
	if err != nil {
		return err
	}
	_, err = t.out.Write(append(text, '\n'))
	return err
}

// numbered is an error with a code, which JSON-RPC wants and the library leaves out of some.
func numbered(err error) error {
	var wire *jsonrpc.Error
	switch {
	case err == nil, errors.As(err, &wire) && wire.Code != 0:
		return err
	case strings.Contains(err.Error(), "not handled"):
		return &jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound, Message: err.Error()}
	}
	return &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: err.Error()}
}

// Close ends reading.
func (t *lineTransport) Close() error {
	t.once.Do(func() { close(t.closed) })
	return nil
}

// SessionID is empty: there is one conversation.
func (*lineTransport) SessionID() string { return "" }
