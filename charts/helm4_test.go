package charts_test

import (
	"testing"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/kube"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

type helm4 struct{ config *action.Configuration }

func newHelm4(t *testing.T, to getter) helm {
	t.Helper()
	config := action.NewConfiguration()
	if err := config.Init(to, metav1.NamespaceSystem, "secret"); err != nil {
		t.Fatal(err)
	}
	return helm4{config}
}

func (h helm4) load(from source) (*chart.Chart, error) {
	if from.folder != "" {
		return loader.Load(from.folder)
	}
	var files []*archive.BufferedFile
	for name, text := range from.files {
		files = append(files, &archive.BufferedFile{Name: name, Data: []byte(text)})
	}
	return loader.LoadFiles(files)
}

func (h helm4) install(release string, from source, with values, takeOwnership bool) error {
	chart, err := h.load(from)
	if err != nil {
		return err
	}
	do := action.NewInstall(h.config)
	do.ReleaseName, do.Namespace, do.TakeOwnership, do.Timeout = release, metav1.NamespaceSystem, takeOwnership,
		patience
	do.WaitStrategy, do.ForceConflicts = kube.HookOnlyStrategy, takeOwnership
	_, err = do.Run(chart, with)
	return err
}

func (h helm4) upgrade(release string, from source, with values) error {
	chart, err := h.load(from)
	if err != nil {
		return err
	}
	do := action.NewUpgrade(h.config)
	do.Namespace, do.Timeout, do.ResetValues, do.WaitStrategy = metav1.NamespaceSystem, patience, true,
		kube.HookOnlyStrategy
	_, err = do.Run(release, chart, with)
	return err
}

func (h helm4) rollback(release string) error {
	do := action.NewRollback(h.config)
	do.Timeout, do.WaitStrategy = patience, kube.HookOnlyStrategy
	return do.Run(release)
}

func (h helm4) uninstall(release string) error {
	do := action.NewUninstall(h.config)
	do.Timeout, do.WaitStrategy = patience, kube.HookOnlyStrategy
	_, err := do.Run(release)
	return err
}
