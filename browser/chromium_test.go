package browser_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/dovetail-sh/dovetail/browser"
	"github.com/dovetail-sh/dovetail/internal/view"
	"github.com/dovetail-sh/dovetail/internal/web"
)

// chrome is one browser for all tests, each of which has windows of its own.
var chrome struct {
	once sync.Once
	context.Context
	err error
}

// launch starts the browser; there is none where it is not installed.
func launch(t *testing.T) {
	program := os.Getenv("CHROME_BIN")
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if program == "" {
			program, _ = exec.LookPath(name)
		}
	}
	if program == "" {
		return
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.WSURLReadTimeout(2*time.Minute), chromedp.Flag("hide-scrollbars", true))
	// It outlives the test that needed it first.
	allocator, _ := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	// Newer browsers tell of more than the library knows.
	chrome.Context, _ = chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	chrome.err = chromedp.Run(chrome.Context)
}

func TestMain(m *testing.M) {
	code := m.Run()
	if chrome.Context != nil && chrome.err == nil {
		_ = chromedp.Cancel(chrome.Context)
	}
	os.Exit(code)
}

// patience is how long anything may take on a busy machine.
const patience = 2 * time.Minute

// tab is a window of a browser, and what it complained about. Only the one in front is drawn, so tests take turns.
type tab struct {
	context.Context
	t *testing.T

	window context.Context
	close  func()

	mu       sync.Mutex // guards the fields below
	trouble  []string
	requests []string
}

// open opens a window; the test skips where there is no browser.
func open(t *testing.T) *tab {
	t.Helper()
	chrome.once.Do(func() { launch(t) })
	if chrome.Context == nil {
		t.Skip("no Chromium here: install Debian's package chromium, or set CHROME_BIN")
	}
	if chrome.err != nil {
		t.Fatalf("starting Chromium: %v", chrome.err)
	}
	window, closeIt := chromedp.NewContext(chrome.Context)
	t.Cleanup(closeIt)
	limited, stop := context.WithTimeout(window, patience)
	t.Cleanup(stop)
	out := &tab{Context: limited, t: t, window: window, close: closeIt}
	chromedp.ListenTarget(limited, out.hear)
	out.do(page.BringToFront(), log.Enable(), network.Enable(), emulation.SetFocusEmulationEnabled(true))
	return out
}

func (b *tab) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *cdpruntime.EventExceptionThrown:
		b.trouble = append(b.trouble, e.ExceptionDetails.Error())
	case *cdpruntime.EventConsoleAPICalled:
		if e.Type == cdpruntime.APITypeError {
			b.trouble = append(b.trouble, fmt.Sprintf("console: %s", e.Args[0].Value))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError && e.Entry.Source != log.SourceNetwork {
			b.trouble = append(b.trouble, e.Entry.Text)
		}
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	}
}

// do does things in turn.
func (b *tab) do(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.Context, actions...); err != nil {
		b.t.Fatalf("%v; it complained: %q", err, b.complaints())
	}
}

func (b *tab) complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.trouble
}

// eval is the value of an expression; a promise is waited for.
func eval[T any](b *tab, expression string) (out T) {
	b.t.Helper()
	b.do(
		chromedp.Evaluate(
			expression,
			&out,
			func(p *cdpruntime.EvaluateParams) *cdpruntime.EvaluateParams { return p.WithAwaitPromise(true) },
		),
	)
	return out
}

// press types keys as a keyboard does: where the page takes a key for itself, no character comes of it. (What chromedp
// types has the character sent in any case.)
func (b *tab) press(keys string) {
	b.t.Helper()
	for _, key := range keys {
		events := kb.Encode(key)
		down, up := events[0], events[len(events)-1]
		if len(events) == 3 {
			down.Text, down.UnmodifiedText = events[1].Text, events[1].UnmodifiedText
		}
		b.do(down, up)
	}
}

// until waits for an expression to be true, as it is drawn. One about what is not there yet is not true.
func (b *tab) until(expression string) {
	b.t.Helper()
	if err := chromedp.Run(
		b.Context,
		chromedp.Poll(
			"(() => { try { return "+expression+" } catch { return false } })()",
			nil,
			chromedp.WithPollingTimeout(patience),
			chromedp.WithPollingInterval(30*time.Millisecond),
		),
	); err != nil {
		text := ""
		late, stop := context.WithTimeout(b.window, 10*time.Second) // the other one is over
		defer stop()
		_ = chromedp.Run(late, chromedp.Evaluate("document.body.innerText", &text))
		b.t.Fatalf("%s never became true: %v; it complained: %q; shown is\n%s", expression, err, b.complaints(), text)
	}
}

// fleet is a page that is served.
type fleet struct {
	hub  *web.Hub
	page *view.Page
	*httptest.Server
}

func ask(kind, name string) string { return "all that is known of " + kind + " " + name }

// serve serves a sample of so many nodes.
func serve(t *testing.T, nodes int) *fleet {
	t.Helper()
	f := &fleet{hub: web.NewHub(t.Name()), page: browser.Sample(nodes)}
	h, err := web.Handler(f.hub, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.put(t)
	f.Server = httptest.NewServer(web.Local(h))
	t.Cleanup(func() { f.CloseClientConnections(); f.Close() })
	return f
}

func (f *fleet) put(t *testing.T) {
	t.Helper()
	if err := f.hub.Put(f.page, ask); err != nil {
		t.Fatal(err)
	}
}

// look opens a view of a page in a window of this size.
func look(t *testing.T, address, route, theme string, width, height int64) *tab {
	t.Helper()
	b := open(t)
	b.do(
		chromedp.EmulateViewport(width, height, chromedp.EmulateScale(1)),
		emulation.SetEmulatedMedia().
			WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme},
				{Name: "prefers-reduced-motion", Value: "reduce"}}),
		chromedp.Navigate(address+"/#"+route),
	)
	b.until(`document.querySelector("#live")?.textContent === "live"`)
	b.until(`document.querySelector("#view").children.length > 0`)
	return b
}

// restart serves a handler at an address that was let go.
func restart(t *testing.T, address string, h http.Handler) *httptest.Server {
	t.Helper()
	listener, err := net.Listen("tcp", strings.TrimPrefix(address, "http://"))
	if err != nil {
		t.Skipf("the port was taken meanwhile: %v", err)
	}
	s := httptest.NewUnstartedServer(h)
	_ = s.Listener.Close()
	s.Listener = listener
	s.Start()
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}
