// Package crdtest says, object by object, what an API server accepts of the
// kinds in api and what it answers to the rest.
//
// The rows are data: the tests beside them judge them in this process, with
// the code that API servers validate with, and the integration tests judge the
// same rows on a real API server. Every rule in the schemas has a row that
// fails without it.
package crdtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Case is one object as a user writes it, and the answer.
//
// Create, Update, Status and Becomes hold one assignment a line, as
// "spec.weight = 5": a path and a value in YAML's flow style. The value null
// takes a field away.
type Case struct {
	// Kind names the valid object that the assignments change: see Valid.
	Kind string
	// Name says what is tried. It is unique among the cases of a kind.
	Name string
	// Create changes the valid object before it is created.
	Create string
	// Update changes the created object, which must have been accepted.
	Update string
	// Status changes the created object through its status subresource.
	Status string
	// Becomes must hold for the object as the server returns it.
	Becomes string

	// At and Says are the field and a part of the message of the one problem
	// that the server reports. Without Says the object is accepted.
	At, Says string
	// Also is the field of a second problem, where one cannot be had without the other.
	Also string
}

// Cases returns every case.
func Cases() []Case {
	return slices.Concat(
		nodePoolCases(),
		nodeClaimCases(),
		nodeOverlayCases(),
		ec2NodeClassCases(),
		kubeletCases(),
		launchSettingCases(),
		capacityBufferCases(),
		kwokNodeClassCases(),
		conditionCases(),
	)
}

var valid = map[string]string{
	"NodePool": `
apiVersion: karpenter.sh/v1
kind: NodePool
spec:
  template:
    spec:
      nodeClassRef: {group: karpenter.k8s.aws, kind: EC2NodeClass, name: default}
      requirements:
      - {key: karpenter.sh/capacity-type, operator: Exists}
`,
	"NodeClaim": `
apiVersion: karpenter.sh/v1
kind: NodeClaim
spec:
  nodeClassRef: {group: karpenter.k8s.aws, kind: EC2NodeClass, name: default}
  requirements:
  - {key: karpenter.sh/capacity-type, operator: Exists}
`,
	"NodeOverlay": `
apiVersion: karpenter.sh/v1alpha1
kind: NodeOverlay
spec:
  requirements:
  - {key: karpenter.sh/capacity-type, operator: In, values: [spot]}
`,
	"EC2NodeClass": `
apiVersion: karpenter.k8s.aws/v1
kind: EC2NodeClass
spec:
  role: nodes
  amiSelectorTerms: [{alias: al2023@latest}]
  subnetSelectorTerms: [{tags: {team: a}}]
  securityGroupSelectorTerms: [{tags: {team: a}}]
`,
	"CapacityBuffer": `
apiVersion: autoscaling.x-k8s.io/v1beta1
kind: CapacityBuffer
metadata: {namespace: default}
spec:
  podTemplateRef: {name: small}
  replicas: 3
`,
	"KWOKNodeClass": `
apiVersion: karpenter.kwok.sh/v1alpha1
kind: KWOKNodeClass
`,
}

// Kinds lists the kinds that have cases, in order.
func Kinds() []string { return slices.Sorted(maps.Keys(valid)) }

// Valid returns the object of a kind that cases change, with a name.
func Valid(kind, name string) (*unstructured.Unstructured, error) {
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(valid[kind]), &object.Object); err != nil {
		return nil, fmt.Errorf("reading the valid %s: %w", kind, err)
	}
	asJSON(object.Object)
	object.SetName(name)
	return object, nil
}

// Assign changes an object by one assignment a line.
func Assign(object *unstructured.Unstructured, assignments string) error {
	for line := range strings.Lines(assignments) {
		path, value, ok, err := parseAssignment(line)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if value == nil {
			unstructured.RemoveNestedField(object.Object, path...)
			continue
		}
		if err := unstructured.SetNestedField(object.Object, value, path...); err != nil {
			return fmt.Errorf("assigning %q: %w", strings.TrimSpace(line), err)
		}
	}
	return nil
}

// Differences lists the assignments that do not hold for an object.
func Differences(object *unstructured.Unstructured, assignments string) ([]string, error) {
	var out []string
	for line := range strings.Lines(assignments) {
		path, want, ok, err := parseAssignment(line)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		got, _, err := unstructured.NestedFieldNoCopy(object.Object, path...)
		if err != nil {
			return nil, fmt.Errorf("looking for %q: %w", strings.TrimSpace(line), err)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			out = append(out, fmt.Sprintf("%s is %v, want %v", strings.Join(path, "."), got, want))
		}
	}
	return out, nil
}

func parseAssignment(line string) (path []string, value any, ok bool, err error) {
	line = strings.TrimSpace(line)
	if line == "" {
		return nil, nil, false, nil
	}
	left, right, found := strings.Cut(line, " = ")
	if !found {
		return nil, nil, false, fmt.Errorf("assignment %q has no \" = \"", line)
	}
	var wrapped map[string]any
	if err := yaml.Unmarshal([]byte("value: "+right), &wrapped); err != nil {
		return nil, nil, false, fmt.Errorf("reading assignment %q: %w", line, err)
	}
	return strings.Split(left, "."), asJSON(wrapped["value"]), true, nil
}

// asJSON turns whole numbers into the integers that API objects have.
func asJSON(value any) any {
	switch value := value.(type) {
	case float64:
		if value == float64(int64(value)) {
			return int64(value)
		}
		return value
	case map[string]any:
		for key := range value {
			value[key] = asJSON(value[key])
		}
	case []any:
		for i := range value {
			value[i] = asJSON(value[i])
		}
	}
	return value
}
