package daemon

import (
	"fmt"

	"github.com/go-logr/logr"
	"github.com/go-logr/zapr"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/dovetail-sh/dovetail/internal/config"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

// NewLog makes the daemon's logger: JSON with Karpenter's keys.
func NewLog(c config.Log) (logr.Logger, error) {
	level, err := zapcore.ParseLevel(c.Level)
	if err != nil {
		return logr.Logger{}, fmt.Errorf("reading the log level: %w", err)
	}
	_, commit := observe.Version()
	log, err := zap.Config{
		Level:             zap.NewAtomicLevelAt(level),
		Encoding:          "json",
		OutputPaths:       c.OutputPaths,
		ErrorOutputPaths:  c.ErrorOutputPaths,
		DisableCaller:     level > zapcore.DebugLevel,
		DisableStacktrace: true,
		Sampling:          &zap.SamplingConfig{Initial: 100, Thereafter: 100},
		InitialFields:     map[string]any{observe.LogCommit: commit},
		EncoderConfig: zapcore.EncoderConfig{
			MessageKey: "message", LevelKey: "level", TimeKey: "time", NameKey: "logger", CallerKey: "caller",
			LineEnding:     zapcore.DefaultLineEnding,
			EncodeLevel:    zapcore.CapitalLevelEncoder,
			EncodeTime:     zapcore.ISO8601TimeEncoder,
			EncodeDuration: zapcore.StringDurationEncoder,
			EncodeCaller:   zapcore.ShortCallerEncoder,
		},
	}.Build(zap.WrapCore(func(c zapcore.Core) zapcore.Core { return logCore{c} }))
	if err != nil {
		return logr.Logger{}, fmt.Errorf("opening the logs: %w", err)
	}
	return zapr.NewLogger(log.Named("controller")), nil
}
