package kubelet

import (
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Variables are what an expression knows of an instance type.
type Variables struct {
	VCPUs       int64
	MemoryMiB   int64 // nominal
	DefaultENIs int64 // network interfaces of the default card, as EC2 says, whatever is kept free
	IPsPerENI   int64
	// MaxPods is, for the expression of maxPods, what the AMI family would set without it; for others what maxPods came
	// to.
	MaxPods      int64
	InstanceType string
}

func (v Variables) activation() map[string]any {
	return map[string]any{
		"vcpus": v.VCPUs, "memory_mib": v.MemoryMiB, "default_enis": v.DefaultENIs, "ips_per_eni": v.IPsPerENI,
		"max_pods": v.MaxPods, "instance_type": v.InstanceType,
	}
}

// Units that results are rounded up to, Karpenter's: each distinct result is a launch template of its own.
const (
	cpuStep    = 10 // milli-cores
	memoryStep = 16 // MiB
)

// costLimit bounds what one evaluation may do, in CEL's units of cost. A formula of every variable costs some dozen.
const costLimit = 10_000

// environment declares variables and functions of expressions: CEL's own, and max and min of two numbers.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	options := []cel.EnvOption{cel.Variable("instance_type", cel.StringType)}
	for _, name := range []string{"vcpus", "memory_mib", "default_enis", "ips_per_eni", "max_pods"} {
		options = append(options, cel.Variable(name, cel.IntType))
	}
	return cel.NewEnv(append(options, pick("max", math.Max), pick("min", math.Min))...)
})

// pick declares max or min. Two integers give an integer; otherwise the result is a double.
func pick(name string, of func(float64, float64) float64) cel.EnvOption {
	whole := cel.BinaryBinding(func(a, b ref.Val) ref.Val {
		x, okX := a.(types.Int)
		y, okY := b.(types.Int)
		if !okX || !okY {
			return types.MaybeNoSuchOverloadErr(a)
		}
		// Compared as integers: doubles would round large ones.
		if (name == "max") == (x > y) {
			return x
		}
		return y
	})
	mixed := cel.BinaryBinding(func(a, b ref.Val) ref.Val {
		x, okX := a.ConvertToType(types.DoubleType).(types.Double)
		y, okY := b.ConvertToType(types.DoubleType).(types.Double)
		if !okX || !okY {
			return types.MaybeNoSuchOverloadErr(a)
		}
		return types.Double(of(float64(x), float64(y)))
	})
	i, d := cel.IntType, cel.DoubleType
	return cel.Function(name,
		cel.Overload(name+"_int_int", []*cel.Type{i, i}, i, whole),
		cel.Overload(name+"_double_double", []*cel.Type{d, d}, d, mixed),
		cel.Overload(name+"_int_double", []*cel.Type{i, d}, d, mixed),
		cel.Overload(name+"_double_int", []*cel.Type{d, i}, d, mixed),
	)
}

// compiled remembers programs by text, and errors too: a class is looked at for every instance type. There are as many
// as expressions were ever written, which are few.
var compiled sync.Map // string to func() (cel.Program, error)

// compile checks that an expression is one, and gives a number.
func compile(text string) (cel.Program, error) {
	known, _ := compiled.LoadOrStore(text, sync.OnceValues(func() (cel.Program, error) { return program(text) }))
	once, ok := known.(func() (cel.Program, error))
	if !ok {
		return nil, errors.New("compiling: the memory of expressions holds something else") // cannot be
	}
	return once()
}

func program(text string) (cel.Program, error) {
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("preparing expressions: %w", err)
	}
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, fmt.Errorf("%q does not compile: %w", text, issues.Err())
	}
	if out := ast.OutputType(); !out.IsExactType(cel.IntType) && !out.IsExactType(cel.DoubleType) {
		return nil, fmt.Errorf("%q gives a value of type %s: expression must return int or double", text, out)
	}
	p, err := env.Program(ast, cel.CostLimit(costLimit))
	if err != nil {
		return nil, fmt.Errorf("preparing %q: %w", text, err)
	}
	return p, nil
}

// evaluate works an expression out. Doubles are cut toward zero.
func evaluate(text string, v Variables) (int64, error) {
	p, err := compile(text)
	if err != nil {
		return 0, err
	}
	out, _, err := p.Eval(v.activation())
	if err != nil {
		return 0, fmt.Errorf("%q for %s: %w", text, v.InstanceType, err)
	}
	switch n := out.(type) {
	case types.Int:
		return int64(n), nil
	case types.Double:
		f := float64(n)
		switch {
		case math.IsInf(f, 0) || math.IsNaN(f):
			return 0, fmt.Errorf("%q for %s: expression returned a non-finite value", text, v.InstanceType)
		case math.Abs(f) >= 1<<62:
			return 0, fmt.Errorf("%q for %s gives %g, which is too large", text, v.InstanceType, f)
		}
		return int64(f), nil
	}
	return 0, fmt.Errorf("%q for %s gives %v, which is no number", text, v.InstanceType, out)
}

// Resolve works the expressions out for an instance type. MaxPods of the variables is what the AMI family would set;
// pods turns what maxPods came to, if it is set, into how many pods a node then takes, which the other expressions see.
// A value that cannot be is an error: a node would have less reserved than was asked for.
func (s Settings) Resolve(v Variables, pods func(Settings) int64) (Settings, error) {
	if !s.HasExpressions() {
		return s, nil
	}
	if s.MaxPods != nil && s.MaxPods.Type == intstr.String {
		n, err := evaluate(s.MaxPods.StrVal, v)
		if err != nil {
			return Settings{}, fmt.Errorf("spec.kubelet.maxPods: %w", err)
		}
		if n < 0 || n > math.MaxInt32 {
			return Settings{}, fmt.Errorf(
				"spec.kubelet.maxPods: %q for %s gives %d, must be from 0 to %d", s.MaxPods.StrVal, v.InstanceType, n,
				math.MaxInt32,
			)
		}
		said := intstr.FromInt32(int32(n))
		s.MaxPods = &said
	}
	v.MaxPods = pods(s)
	var err error
	if s.KubeReserved, err = resolved("kubeReserved", s.KubeReserved, v); err != nil {
		return Settings{}, err
	}
	s.SystemReserved, err = resolved("systemReserved", s.SystemReserved, v)
	return s, err
}

func resolved(field string, reserved map[string]string, v Variables) (map[string]string, error) {
	if len(reserved) == 0 {
		return reserved, nil
	}
	out := make(map[string]string, len(reserved))
	for name, text := range reserved {
		if !isExpression(text) {
			out[name] = text
			continue
		}
		n, err := evaluate(text, v)
		if err == nil && n < 0 {
			err = fmt.Errorf("%q for %s gives %d, must not be negative", text, v.InstanceType, n)
		}
		if err != nil {
			return nil, fmt.Errorf("spec.kubelet.%s[%s]: %w", field, name, err)
		}
		out[name] = quantity(name, n)
	}
	return out, nil
}

// quantity writes a result in the unit that expressions for a resource count in.
func quantity(name string, n int64) string {
	switch corev1.ResourceName(name) {
	case corev1.ResourceCPU:
		return fmt.Sprintf("%dm", roundUp(n, cpuStep))
	case corev1.ResourceMemory:
		return fmt.Sprintf("%dMi", roundUp(n, memoryStep))
	case corev1.ResourceEphemeralStorage:
		return fmt.Sprintf("%dGi", n)
	}
	return fmt.Sprint(n) // pid
}

// roundUp is the next multiple of step, or n if that would overflow.
func roundUp(n, step int64) int64 {
	if rest := n % step; rest != 0 && n <= math.MaxInt64-step {
		return n - rest + step
	}
	return n
}
