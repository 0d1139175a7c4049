package web_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/internal/view"
	"github.com/dovetail-sh/dovetail/internal/web"
)

// mostWeight is what everything that a browser loads may weigh, compressed.
const mostWeight = 150_000

func handler(t *testing.T, h *web.Hub) http.Handler {
	t.Helper()
	out, err := web.Handler(h, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func get(h http.Handler, method, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, http.NoBody)
	r.Header.Set("Accept-Encoding", "gzip")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestThePageIsLight weighs all files as they are sent, and holds that they are those of the folder.
func TestThePageIsLight(t *testing.T) {
	t.Parallel()
	h, sum := handler(t, web.NewHub("b")), 0
	err := filepath.WalkDir("page", func(name string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		want, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		w := get(h, "GET", "/"+strings.TrimPrefix(name, "page/"))
		sum += w.Body.Len()
		z, err := gzip.NewReader(w.Body)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		got, err := io.ReadAll(z)
		if string(got) != string(want) {
			t.Errorf("%s is not what is in the folder", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the page weighs %d bytes", sum)
	if sum > mostWeight || sum == 0 {
		t.Errorf("the page weighs %d bytes, may weigh %d", sum, mostWeight)
	}
}

// TestNothingIsLoadedFromElsewhere reads the sources: no address, and nothing that the policy forbids.
func TestNothingIsLoadedFromElsewhere(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("page/*")
	if err != nil || len(names) < 5 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // a folder
		}
		for _, bad := range []string{"https://", "http://", "innerHTML", "eval(", "onclick=", "style="} {
			if i := strings.Index(strings.ReplaceAll(string(text), "http://www.w3.org/2000/svg", ""), bad); i >= 0 {
				t.Errorf("%s has %q", name, bad)
			}
		}
	}
	policy := get(handler(t, web.NewHub("b")), "GET", "/").Header().Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'self';") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
}

func TestThePageCanOnlyBeRead(t *testing.T) {
	t.Parallel()
	h := handler(t, web.NewHub("b"))
	for _, path := range []string{"/", "/main.js", "/api/page", "/api/stream", "/api/explain?pod=a/b"} {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			if got := get(h, method, path).Code; got != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d", method, path, got)
			}
		}
	}
	if got := get(h, "GET", "/../hub.go").Code; got == http.StatusOK {
		t.Error("files beside the page are served")
	}
}

// TestOnlyThisMachineReadsALocalPage has names of other places that lead here.
func TestOnlyThisMachineReadsALocalPage(t *testing.T) {
	t.Parallel()
	h := web.Local(handler(t, web.NewHub("b")))
	for host, want := range map[string]int{"localhost:1": 200, "127.0.0.1:1": 200, "[::1]:1": 200, "127.0.0.1": 200,
		"evil.example": 403, "evil.example:80": 403, "10.0.0.1": 403, "": 403} {
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: %d, want %d", host, w.Code, want)
		}
	}
}

// reader is what a browser knows.
type reader struct {
	last  string
	parts map[string]json.RawMessage
	nodes map[string]json.RawMessage
}

// catchUp reads a stream until it has nothing more, or of that so many pieces before it is cut off.
func (r *reader) catchUp(rt *rapid.T, h http.Handler, most int) {
	ctx, cut := context.WithCancel(rt.Context())
	request := httptest.NewRequest(http.MethodGet, "/api/stream", http.NoBody).WithContext(ctx)
	request.Header.Set("Last-Event-ID", r.last)
	w := httptest.NewRecorder()
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.ServeHTTP(w, request)
	}()
	synctest.Wait()
	cut()
	<-done
	lines, id := bufio.NewScanner(w.Body), ""
	lines.Buffer(nil, 1<<20)
	for most > 0 && lines.Scan() {
		name, text, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			id = text
		case "data":
			var d struct {
				Whole        bool
				Parts, Nodes map[string]json.RawMessage
				Gone         []string
			}
			if err := json.Unmarshal([]byte(text), &d); err != nil {
				rt.Fatal(err)
			}
			r.lay(d.Whole, d.Parts, d.Nodes, d.Gone)
			r.last = id
			most--
		}
	}
}

func (r *reader) lay(whole bool, parts, nodes map[string]json.RawMessage, gone []string) {
	if whole || r.parts == nil {
		r.parts, r.nodes = map[string]json.RawMessage{}, map[string]json.RawMessage{}
	}
	for k, v := range parts {
		r.parts[k] = v
	}
	for k, v := range nodes {
		r.nodes[k] = v
	}
	for _, k := range gone {
		delete(r.nodes, k)
	}
}

// TestReadersLoseNothing has readers who are cut off at any moment, and a page that changes meanwhile, more often than
// is remembered.
func TestReadersLoseNothing(t *testing.T) {
	t.Parallel()
	// Without its deadline, which is of a time that does not pass here.
	synctest.Test(t, func(t *testing.T) { rapid.Check(struct{ rapid.TB }{t}, loseNothing) })
}

func loseNothing(rt *rapid.T) {
	hub := web.NewHub("b")
	h, err := web.Handler(hub, nil)
	if err != nil {
		rt.Fatal(err)
	}
	page := &view.Page{Fleet: view.Fleet{At: time.Unix(1, 0)}}
	put := func() {
		if err := hub.Put(page, nil); err != nil {
			rt.Fatal(err)
		}
	}
	put()
	r := &reader{}
	for range rapid.IntRange(1, 6).Draw(rt, "rounds") {
		for range rapid.SampledFrom([]int{0, 1, 3, 300}).Draw(rt, "changes") {
			change(page, rapid.IntRange(0, 5).Draw(rt, "node"), rapid.Bool().Draw(rt, "there"))
			put()
		}
		r.catchUp(rt, h, rapid.IntRange(1, 3).Draw(rt, "pieces"))
	}
	r.catchUp(rt, h, 400)
	r.catchUp(rt, h, 400)
	var all struct{ Parts, Nodes map[string]json.RawMessage }
	if err := json.Unmarshal(get(h, "GET", "/api/page").Body.Bytes(), &all); err != nil {
		rt.Fatal(err)
	}
	for name, got := range map[string][2]map[string]json.RawMessage{"nodes": {all.Nodes, r.nodes},
		"parts": {all.Parts, r.parts}} {
		if diff := cmp.Diff(got[0], got[1], cmpopts.EquateEmpty()); diff != "" {
			rt.Fatalf("%s: %s", name, diff)
		}
	}
}

// change has a node come, change or go.
func change(page *view.Page, node int, there bool) {
	name := fmt.Sprint("n", node)
	page.Fleet.At = page.Fleet.At.Add(time.Second)
	page.Fleet.Money.Nodes++
	page.Fleet.Nodes = slices.DeleteFunc(
		slices.Clone(page.Fleet.Nodes),
		func(m view.Machine) bool { return m.Name == name },
	)
	if there {
		page.Fleet.Nodes = append(
			page.Fleet.Nodes,
			view.Machine{Name: name, Price: view.PerHour(page.Fleet.Money.Nodes)},
		)
	}
}
