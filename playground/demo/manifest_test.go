package demo

import (
	"strings"
	"testing"
)

var variables = map[string]string{"CLUSTER_NAME": "openfaas", "ARM_AMI_ID": "ami-0a", "AMD_AMI_ID": "ami-0b"}

func TestEveryManifestLoadsWithTheTutorialsVariables(t *testing.T) {
	t.Parallel()
	files, err := manifests.ReadDir("manifests")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		objects, err := load(file.Name(), variables)
		if err != nil {
			t.Errorf("%s: %v", file.Name(), err)
		}
		for _, object := range objects {
			if object.GetKind() == "" || object.GetName() == "" {
				t.Errorf("%s holds an object without kind or name: %v", file.Name(), object.Object)
			}
			if text, _ := object.MarshalJSON(); strings.Contains(string(text), "${") {
				t.Errorf("%s: a variable was not filled in: %s", file.Name(), text)
			}
		}
	}
}

func TestAMissingVariableIsAnErrorThatNamesIt(t *testing.T) {
	t.Parallel()
	_, err := load("openfaas-nodeclass.yaml", map[string]string{"CLUSTER_NAME": "x", "ARM_AMI_ID": "y"})
	if err == nil || !strings.Contains(err.Error(), "AMD_AMI_ID") {
		t.Errorf("got %v, want an error that names AMD_AMI_ID", err)
	}
}

func TestEvenIsTheTutorialsConstraint(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		zones map[string]int
		good  bool
	}{
		"TwoZonesEven":     {map[string]int{"a": 5, "b": 5}, true},
		"ThreeZonesByOne":  {map[string]int{"a": 4, "b": 3, "c": 3}, true},
		"OneZoneIsTooFew":  {map[string]int{"a": 10}, false},
		"SkewOfTwo":        {map[string]int{"a": 6, "b": 4}, false},
		"NoPodsAreNowhere": {map[string]int{}, false},
	}
	for name, tc := range cases {
		if err := even(tc.zones); (err == nil) != tc.good {
			t.Errorf("%s: even(%v) = %v", name, tc.zones, err)
		}
	}
}
