package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// Download fetches a version of a module through the go command, and returns where it lies, read-only.
func Download(ctx context.Context, module, version string) (string, error) {
	at := module + "@" + version
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", at)
	cmd.Dir = os.TempDir() // outside of this module, whose go.mod is not to be changed
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var answer struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(out, &answer); jsonErr != nil && err == nil {
		err = jsonErr
	}
	switch {
	case answer.Error != "":
		return "", fmt.Errorf("downloading %s: %w", at, errors.New(answer.Error))
	case err != nil:
		return "", fmt.Errorf("downloading %s: %w: %s", at, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return answer.Dir, nil
}
