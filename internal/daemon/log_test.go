package daemon_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dovetail-sh/dovetail/internal/config"
	"github.com/dovetail-sh/dovetail/internal/daemon"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

// logged is what a logger of a level writes.
func logged(t *testing.T, level string, say func(logger)) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "log")
	log, err := daemon.NewLog(
		config.Log{Level: level, OutputPaths: []string{file}, ErrorOutputPaths: []string{"stderr"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	say(log.WithValues(observe.LogNodePool, "default"))
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

type logger = interface {
	Info(msg string, more ...any)
	Error(err error, msg string, more ...any)
}

// Parsers of Karpenter's log look for {"name":"default"}.
func TestObjectsInTheLogHaveAName(t *testing.T) {
	t.Parallel()
	got := logged(t, "info", func(log logger) {
		log.Info(
			"created nodeclaim",
			observe.LogNodeClaim,
			"default-abcde",
			observe.LogPod,
			"shop/web",
			observe.LogNode,
			"",
			observe.LogReason,
			"default",
		)
	})
	for _, want := range []string{`"NodePool":{"name":"default"}`, `"NodeClaim":{"name":"default-abcde"}`, `"Pod":{"name":"web","namespace":"shop"}`, `"Node":""`, `"reason":"default"`, `"level":"INFO"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
}

func TestWhatNobodyMustActUponIsSaidAtDebug(t *testing.T) {
	t.Parallel()
	say := func(log logger) {
		log.Info("healthz check failed", "statuses", []any{})
		log.Error(errors.New("leader election lost"), "error received after stop sequence was engaged")
		log.Error(errors.New("something else"), "error received after stop sequence was engaged")
	}
	if got := logged(t, "info", say); strings.Count(got, "\n") != 1 || !strings.Contains(got, "something else") {
		t.Errorf("at info: %s", got)
	}
	if got := logged(t, "debug", say); strings.Count(got, `"level":"DEBUG"`) != 2 ||
		!strings.Contains(got, `"level":"ERROR"`) {
		t.Errorf("at debug: %s", got)
	}
}
