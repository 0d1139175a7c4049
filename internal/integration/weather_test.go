package integration

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// weather is what the way from a controller to the API server is like. The zero value is fair.
type weather struct {
	mu   sync.Mutex               // guards the fields below
	late map[string]time.Duration // how late watches of a resource are, such as "pods"; "" is of all
	shed func(write string) bool  // which writes are refused as too many; see apiWrite
	lost int                      // how many were
}

// lags has the watches of a resource come so late from now on; those that are open already too.
func (w *weather) lags(resource string, by time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.late == nil {
		w.late = map[string]time.Duration{}
	}
	w.late[resource] = by
}

// sheds has writes refused from now on; nil for none.
func (w *weather) sheds(which func(write string) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shed = which
}

// refused is how many writes were refused.
func (w *weather) refused() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lost
}

// lateBy is how late a watch on a path is now.
func (w *weather) lateBy(path string) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	resource := path[strings.LastIndex(path, "/")+1:]
	return max(w.late[""], w.late[resource])
}

// refuses answers a write in the API server's stead if it is to be refused.
func (w *weather) refuses(rw http.ResponseWriter, write string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if write == "" || w.shed == nil || !w.shed(write) {
		return false
	}
	w.lost++
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("Retry-After", "1")
	rw.WriteHeader(http.StatusTooManyRequests)
	_, _ = fmt.Fprintf(
		rw,
		`{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","reason":"TooManyRequests","message":"the server is busy","code":%d}`,
		http.StatusTooManyRequests,
	) // a client that hung up asks again
	return true
}

// delay puts what a watch brings off.
func (w *weather) delay(r *http.Response) error {
	if query := r.Request.URL.Query().Get("watch"); query == "true" || query == "1" {
		path := r.Request.URL.Path
		r.Body = newLateBody(r.Body, func() time.Duration { return w.lateBy(path) })
	}
	return nil
}

// piece is a part of a stream with the time at which it came.
type piece struct {
	came time.Time
	data []byte
}

// lateBody gives on what it reads some time after it came, in order.
type lateBody struct {
	*io.PipeReader
	from io.Closer
	end  chan struct{}
	once sync.Once
}

func newLateBody(from io.ReadCloser, by func() time.Duration) *lateBody {
	reader, writer := io.Pipe()
	b := &lateBody{PipeReader: reader, from: from, end: make(chan struct{})}
	pieces := make(chan piece, 1<<14)
	go b.collect(from, pieces)
	go b.deliver(pieces, writer, by)
	return b
}

func (b *lateBody) collect(from io.Reader, to chan<- piece) {
	defer close(to)
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			select {
			case to <- piece{time.Now(), append([]byte(nil), buffer[:n]...)}:
			case <-b.end:
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (b *lateBody) deliver(pieces <-chan piece, to *io.PipeWriter, by func() time.Duration) {
	for p := range pieces {
		select {
		case <-b.end:
		case <-time.After(time.Until(p.came.Add(by()))):
		}
		if _, err := to.Write(p.data); err != nil {
			break
		}
	}
	_ = to.Close() // never an error
}

// Close ends the stream.
func (b *lateBody) Close() error {
	b.once.Do(func() { close(b.end) })
	_ = b.PipeReader.Close() // never an error
	return b.from.Close()
}
