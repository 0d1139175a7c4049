package charts_test

import (
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// patience is how long anything here may take on a busy machine.
const patience = 2 * time.Minute

type helm3 struct{ config *action.Configuration }

func newHelm3(t *testing.T, to getter) helm {
	t.Helper()
	config := new(action.Configuration)
	if err := config.Init(to, metav1.NamespaceSystem, "secret", t.Logf); err != nil {
		t.Fatal(err)
	}
	return helm3{config}
}

func (h helm3) load(from source) (*chart.Chart, error) {
	if from.folder != "" {
		return loader.Load(from.folder)
	}
	var files []*loader.BufferedFile
	for name, text := range from.files {
		files = append(files, &loader.BufferedFile{Name: name, Data: []byte(text)})
	}
	return loader.LoadFiles(files)
}

func (h helm3) install(release string, from source, with values, takeOwnership bool) error {
	chart, err := h.load(from)
	if err != nil {
		return err
	}
	do := action.NewInstall(h.config)
	do.ReleaseName, do.Namespace, do.TakeOwnership, do.Timeout = release, metav1.NamespaceSystem, takeOwnership,
		patience
	_, err = do.Run(chart, with)
	return err
}

func (h helm3) upgrade(release string, from source, with values) error {
	chart, err := h.load(from)
	if err != nil {
		return err
	}
	do := action.NewUpgrade(h.config)
	do.Namespace, do.Timeout, do.ResetValues = metav1.NamespaceSystem, patience, true
	_, err = do.Run(release, chart, with)
	return err
}

func (h helm3) rollback(release string) error {
	do := action.NewRollback(h.config)
	do.Timeout = patience
	return do.Run(release)
}

func (h helm3) uninstall(release string) error {
	do := action.NewUninstall(h.config)
	do.Timeout = patience
	_, err := do.Run(release)
	return err
}
