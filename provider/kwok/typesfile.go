package kwok

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/api/kwok/v1alpha1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
)

// Overhead of every type: what the kubelet and the system keep for themselves.
const (
	overheadCPU    = 100      // milli-cores
	overheadMemory = 10 << 20 // bytes
)

// typeSpec is one type in a file of instance types.
type typeSpec struct {
	Name             string              `json:"name"`
	Offerings        []offeringSpec      `json:"offerings"`
	Architecture     string              `json:"architecture"`
	OperatingSystems []string            `json:"operatingSystems"`
	Resources        corev1.ResourceList `json:"resources"`
}

// offeringSpec is one offering in a file of instance types. Price is in dollars an hour.
type offeringSpec struct {
	Price        float64                          `json:"Price"`
	Available    bool                             `json:"Available"`
	Requirements []corev1.NodeSelectorRequirement `json:"Requirements"`
}

// ParseTypes reads instance types from JSON as INSTANCE_TYPES_FILE_PATH names it: a list of
// objects with name, offerings (Price, Available, Requirements), architecture,
// operatingSystems and resources. A name may be there several times, once for each architecture and
// operating system. The error names every entry that is wrong, and why.
func ParseTypes(data []byte) ([]*shape.InstanceType, error) {
	var specs []typeSpec
	if err := json.Unmarshal(data, &specs); err != nil {
		return nil, fmt.Errorf("reading instance types: %w", describeJSON(data, err))
	}
	if len(specs) == 0 {
		return nil, errors.New("reading instance types: the list is empty")
	}
	var out []*shape.InstanceType
	var errs []error
	seen := map[string]bool{}
	for i, spec := range specs {
		if seen[spec.key()] {
			errs = append(
				errs,
				fmt.Errorf(
					"instance type %s is listed twice for %s and %s",
					spec.Name,
					spec.Architecture,
					strings.Join(spec.OperatingSystems, ", "),
				),
			)
			continue
		}
		seen[spec.key()] = true
		offerings, err := spec.offerings(i)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, spec.instanceType(offerings))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("reading instance types: %w", err)
	}
	return out, nil
}

// key tells entries apart.
func (s typeSpec) key() string {
	return s.Name + " " + s.Architecture + " " + strings.Join(slices.Sorted(slices.Values(s.OperatingSystems)), " ")
}

// describeJSON says what an error of the JSON decoder means, and adds the line.
func describeJSON(data []byte, err error) error {
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	offset := int64(-1)
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		return errors.New("the file is empty; want a JSON list of instance types")
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &mismatch):
		offset = mismatch.Offset
		err = mismatched(mismatch)
	}
	if offset < 0 || offset > int64(len(data)) {
		return err
	}
	return fmt.Errorf("line %d: %w", 1+strings.Count(string(data[:offset]), "\n"), err)
}

// offerings checks a type and reads its offerings. index is its place in the file, from 0.
func (s typeSpec) offerings(index int) ([]shape.Offering, error) {
	if s.Name == "" {
		return nil, fmt.Errorf("entry %d has no name", index+1)
	}
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		// Zero is allowed: small types are written down with 0Gi of memory.
		if q, ok := s.Resources[name]; !ok || q.Sign() < 0 {
			return nil, fmt.Errorf("instance type %s has no %s in its resources", s.Name, name)
		}
	}
	if s.Architecture == "" || len(s.OperatingSystems) == 0 {
		return nil, fmt.Errorf("instance type %s needs architecture and operatingSystems", s.Name)
	}
	if len(s.Offerings) == 0 {
		return nil, fmt.Errorf("instance type %s has no offerings", s.Name)
	}
	var out []shape.Offering
	for i, o := range s.Offerings {
		offering, err := o.offering()
		if err != nil {
			return nil, fmt.Errorf("instance type %s, offering %d: %w", s.Name, i+1, err)
		}
		out = append(out, offering)
	}
	return out, nil
}

func (o offeringSpec) offering() (shape.Offering, error) {
	if o.Price < 0 {
		return shape.Offering{}, fmt.Errorf("price %v is negative", o.Price)
	}
	out := shape.Offering{Price: shape.Dollars(o.Price), Available: o.Available}
	labels := map[string]string{}
	for _, r := range o.Requirements {
		if r.Operator != corev1.NodeSelectorOpIn || len(r.Values) != 1 {
			return shape.Offering{}, fmt.Errorf("requirement %s must have operator In and one value", r.Key)
		}
		labels[karpenterv1.LabelAliases(nil).Normalize(r.Key)] = r.Values[0]
	}
	out.Zone, out.CapacityType = labels[shape.LabelZone], labels[shape.LabelCapacityType]
	if out.Zone == "" || out.CapacityType == "" {
		return shape.Offering{}, fmt.Errorf(
			"requirements %s and %s are missing",
			shape.LabelCapacityType,
			shape.LabelZone,
		)
	}
	delete(labels, shape.LabelZone)
	delete(labels, shape.LabelCapacityType)
	out.Extra = shape.LabelsOf(labels)
	return out, nil
}

// instanceType works out labels and what pods can use. Types without pods get the kubelet's 110.
func (s typeSpec) instanceType(offerings []shape.Offering) *shape.InstanceType {
	capacity := provider.VectorOf(s.Resources)
	if capacity.Pods == 0 {
		capacity.Pods = 110
	}
	zones, capacityTypes := map[string]bool{}, map[string]bool{}
	extra := map[string]map[string]bool{}
	for _, o := range offerings {
		zones[o.Zone], capacityTypes[o.CapacityType] = true, true
		for _, l := range o.Extra {
			if extra[l.Key] == nil {
				extra[l.Key] = map[string]bool{}
			}
			extra[l.Key][l.Value] = true
		}
	}
	reqs := []shape.Requirement{
		in(shape.LabelInstanceType, s.Name),
		in(shape.LabelArch, s.Architecture),
		in(shape.LabelOS, s.OperatingSystems...),
		in(shape.LabelZone, slices.Collect(maps.Keys(zones))...),
		in(shape.LabelCapacityType, slices.Collect(maps.Keys(capacityTypes))...),
		in(v1alpha1.InstanceSizeLabelKey, sizeOf(s.Name, capacity.CPU)),
		in(v1alpha1.InstanceFamilyLabelKey, familyOf(s.Name)),
		in(v1alpha1.InstanceCPULabelKey, strconv.FormatInt(capacity.CPU/1000, 10)),
		in(v1alpha1.InstanceMemoryLabelKey, strconv.FormatInt(capacity.Memory>>20, 10)),
	}
	for key, values := range extra {
		reqs = append(reqs, in(key, slices.Collect(maps.Keys(values))...))
	}
	slices.SortFunc(reqs, func(a, b shape.Requirement) int { return cmp.Compare(a.Key, b.Key) })
	return &shape.InstanceType{
		Name:         s.Name,
		Requirements: reqs,
		Capacity:     capacity,
		Allocatable:  capacity.Sub(shape.Vector{CPU: overheadCPU, Memory: overheadMemory}),
		Offerings:    offerings,
	}
}

func in(key string, values ...string) shape.Requirement {
	values = slices.Clone(values)
	slices.Sort(values)
	return shape.Requirement{Key: key, Operator: shape.In, Values: slices.Compact(values)}
}

// awsName is how EC2 names types: family, dot, size.
var awsName = regexp.MustCompile(`^[a-z0-9-]+\.([a-z0-9-]+)$`)

// sizeOf is the size in names as EC2 writes them, else the number of cores.
func sizeOf(name string, milliCores int64) string {
	if m := awsName.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	return strconv.FormatInt(milliCores/1000, 10)
}

// familyOf is what comes before the first dot or dash of a name.
func familyOf(name string) string {
	if i := strings.IndexAny(name, ".-"); i > 0 {
		return name[:i]
	}
	return name
}

// mismatched says in the file's words what stands where something else has to.
func mismatched(err *json.UnmarshalTypeError) error {
	found := map[string]string{
		"object": "an object",
		"array":  "a list",
		"string": "a string",
		"number": "a number",
		"bool":   "true or false",
	}
	word, _, _ := strings.Cut(err.Value, " ")
	switch {
	case err.Field == "" && err.Type.Kind() == reflect.Slice:
		return fmt.Errorf(
			"want a list of instance types, and this is %s; put them in [ and ]",
			cmp.Or(found[word], err.Value),
		)
	case err.Field == "":
		return fmt.Errorf(
			"want an instance type, an object with a name, and this is %s",
			cmp.Or(found[word], err.Value),
		)
	}
	return fmt.Errorf("%s cannot be %s", err.Field, cmp.Or(found[word], err.Value))
}
