package daemon

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/dovetail-sh/dovetail/internal/observe"
)

// logCore names objects as Karpenter's log does, {"name":"default"} and not "default", wherever a line comes from. What
// the libraries below say too loudly is said at debug.
type logCore struct{ zapcore.Core }

func (c logCore) With(fields []zapcore.Field) zapcore.Core { return logCore{c.Core.With(refs(fields))} }

func (c logCore) Check(e zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !c.Enabled(e.Level) {
		return to
	}
	return to.AddCore(e, c)
}

func (c logCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	if quiet(e, fields) {
		if !c.Enabled(zapcore.DebugLevel) {
			return nil
		}
		e.Level = zapcore.DebugLevel
	}
	return c.Core.Write(e, refs(fields))
}

// quiet reports whether a line tells of nothing that anybody has to do anything about: that the process is not ready
// yet, which its probes find every second, and that a process that is asked to stop is no longer the leader.
func quiet(e zapcore.Entry, fields []zapcore.Field) bool {
	switch e.Message {
	case "healthz check failed":
		return true
	case "error received after stop sequence was engaged":
		for _, f := range fields {
			if err, ok := f.Interface.(error); ok && err.Error() == "leader election lost" {
				return true
			}
		}
	}
	return false
}

func refs(fields []zapcore.Field) []zapcore.Field {
	var out []zapcore.Field
	for i, f := range fields {
		ref, ok := observe.RefOf(f.Key, f.String)
		if f.Type != zapcore.StringType || !ok {
			continue
		}
		if out == nil {
			out = append(out, fields...)
		}
		out[i] = zap.Reflect(f.Key, ref)
	}
	if out == nil {
		return fields
	}
	return out
}
