package web

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"mime"
	"net"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed page
var files embed.FS

const (
	// beat is how often a stream says that it lives.
	beat = 2 * time.Second
	// patience is how long a reader may take for one piece.
	patience = 5 * time.Second
	// policy lets a page load what is its own, and nothing else.
	policy = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
)

// asset is a file as it is sent.
type asset struct {
	kind          string
	plain, packed []byte
}

// assets are the page's files by their paths.
var assets = sync.OnceValues(func() (map[string]asset, error) {
	out := map[string]asset{}
	err := fs.WalkDir(files, "page", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		var packed bytes.Buffer
		z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if err != nil {
			return err
		}
		if _, err := z.Write(text); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		out[strings.TrimPrefix(name, "page/")] = asset{kindOf(name), text, packed.Bytes()}
		return nil
	})
	return out, err
})

// kindOf does not depend on what the machine knows of files.
func kindOf(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".html":
		return "text/html; charset=utf-8"
	}
	return mime.TypeByExtension(path.Ext(name))
}

// Handler serves the page of a Hub. guard stands before everything that tells of the cluster; nil for nobody. The paths
// are relative to wherever it is mounted.
func Handler(h *Hub, guard func(http.Handler) http.Handler) (http.Handler, error) {
	if _, err := assets(); err != nil {
		return nil, fmt.Errorf("reading the page: %w", err)
	}
	if guard == nil {
		guard = func(next http.Handler) http.Handler { return next }
	}
	mux := http.NewServeMux()
	mux.Handle("GET /api/stream", guard(http.HandlerFunc(h.stream)))
	mux.Handle("GET /api/page", guard(http.HandlerFunc(h.page)))
	mux.Handle("GET /api/explain", guard(http.HandlerFunc(h.explain)))
	mux.HandleFunc("GET /", file)
	return secured(mux), nil
}

// secured tells browsers what the page may do.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for key, value := range map[string]string{
			"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			w.Header().Set(key, value)
		}
		next.ServeHTTP(w, r)
	})
}

// Local lets requests through that were made to this machine by one of its own names: a page from elsewhere whose name
// leads here reads nothing.
func Local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		ip := net.ParseIP(strings.Trim(host, "[]"))
		if host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "this page is for this machine; open it as http://localhost", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func file(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	if name == "" {
		name = "index.html"
	}
	all, err := assets()
	a, ok := all[name]
	if err != nil || !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", a.kind)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Vary", "Accept-Encoding")
	text := a.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		text = a.packed
		w.Header().Set("Content-Encoding", "gzip")
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(text) // whoever asked is gone
	}
}

// page is everything at once, for programs.
func (h *Hub) page(w http.ResponseWriter, _ *http.Request) {
	text := h.Whole()
	w.Header().Set("Content-Type", "application/json")
	if text == nil {
		http.Error(w, `{"error":"nobody has looked yet; try again in a moment"}`, http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write(text)
}

// mostAsked is how long a name may be: a namespace, a slash and a pod.
const mostAsked = 512

func (h *Hub) explain(w http.ResponseWriter, r *http.Request) {
	for _, kind := range []string{"pod", "node"} {
		if name := r.URL.Query().Get(kind); name != "" && len(name) < mostAsked {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(map[string]string{"text": h.answer(kind, name)})
			return
		}
	}
	http.Error(w, "want ?pod=NAMESPACE/NAME or ?node=NAME", http.StatusBadRequest)
}

// stream sends what changes until the reader goes. Who was cut off goes on where it was, by the last event's ID.
func (h *Hub) stream(w http.ResponseWriter, r *http.Request) {
	out := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	known := h.known(r.Header.Get("Last-Event-ID"))
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		changes, wait := h.since(known)
		for _, c := range changes {
			if !send(w, out, "id: "+h.boot+"."+strconv.FormatUint(c.revision, 10)+"\nevent: change\ndata: ", c.text) {
				return
			}
			known = c.revision
		}
		select {
		case <-r.Context().Done():
			return
		case <-wait:
		case <-ticker.C:
			text, err := json.Marshal(map[string]time.Time{"at": h.now()})
			if err != nil || !send(w, out, "event: beat\ndata: ", text) {
				return
			}
		}
	}
}

// known is the revision of an event's ID; 0 for one of another process, or none.
func (h *Hub) known(id string) uint64 {
	boot, number, _ := strings.Cut(id, ".")
	revision, err := strconv.ParseUint(number, 10, 64)
	if boot != h.boot || err != nil {
		return 0
	}
	return revision
}

func send(w http.ResponseWriter, out *http.ResponseController, head string, text []byte) bool {
	_ = out.SetWriteDeadline(time.Now().Add(patience)) // what cannot have one hangs in tests only
	if _, err := fmt.Fprintf(w, "%s%s\n\n", head, text); err != nil {
		return false
	}
	return out.Flush() == nil
}
