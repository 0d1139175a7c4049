package cluster

import (
	"bytes"
	"io"
	"time"
)

// podLog writes lines as a container runtime does, so that a kubelet can show them: time, stream, and F for a whole
// line.
// Not safe for concurrent use; a process's output is copied by one goroutine.
type podLog struct {
	to   io.Writer
	rest []byte // of a line that is not ended
	now  func() time.Time
}

func (p *podLog) Write(text []byte) (int, error) {
	p.rest = append(p.rest, text...)
	var out bytes.Buffer
	for {
		line, rest, ended := bytes.Cut(p.rest, []byte("\n"))
		if !ended {
			break
		}
		out.WriteString(p.now().UTC().Format(time.RFC3339Nano) + " stdout F ")
		out.Write(line)
		out.WriteByte('\n')
		p.rest = rest
	}
	p.rest = bytes.Clone(p.rest)
	if _, err := p.to.Write(out.Bytes()); err != nil {
		return 0, err
	}
	return len(text), nil
}
