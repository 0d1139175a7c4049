package wire

import (
	"net"
	"net/http"
	"time"
)

// hangUp ends a call without an answer. It is silent for hold first, or, when
// patient and hold is zero, until the client gives up or the server closes.
// The connection ends with a reset, which no client takes for an answer.
func hangUp(w http.ResponseWriter, r *http.Request, hold time.Duration, patient bool) {
	var over <-chan time.Time
	if hold > 0 {
		over = time.After(hold)
	}
	if hold > 0 || patient {
		select {
		case <-r.Context().Done():
		case <-over:
		}
	}
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // closes the connection or the stream all the same
	}
	if tcp, ok := connection.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // without it the close is an orderly one
	}
	_ = connection.Close()
}

// answerByHalf writes the first half of the answer as if it were all.
func (c *Call) answerByHalf(w http.ResponseWriter, out any) error {
	whole := &draft{header: w.Header()}
	if err := c.answer(whole, out); err != nil {
		return err
	}
	_, err := w.Write(whole.body[:len(whole.body)/2])
	return err
}

// draft is an answer that is not sent yet.
type draft struct {
	header http.Header
	body   []byte
}

func (d *draft) Header() http.Header { return d.header }
func (d *draft) WriteHeader(int)     {}
func (d *draft) Write(p []byte) (int, error) {
	d.body = append(d.body, p...)
	return len(p), nil
}
