package fisapi

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

// deed is what an action does to one instance.
type deed struct {
	kind, text string // of targets; for ListActions
	do         func(s *world.State, in *world.Instance, notice time.Duration) error
}

const (
	spotKind     = "aws:ec2:spot-instance"
	instanceKind = "aws:ec2:instance"
)

// deeds are the actions that are simulated.
var deeds = map[string]deed{
	"aws:ec2:send-spot-instance-interruptions": {
		spotKind,
		"Interrupt the specified Spot Instances.",
		func(s *world.State, in *world.Instance, notice time.Duration) error {
			s.InterruptIn(in, notice)
			return nil
		},
	},
	"aws:ec2:stop-instances": {
		instanceKind,
		"Stop the specified EC2 instances.",
		func(s *world.State, in *world.Instance, _ time.Duration) error {
			return s.Stop(in, false)
		},
	},
	"aws:ec2:reboot-instances": {
		instanceKind,
		"Reboot the specified EC2 instances.",
		func(s *world.State, in *world.Instance, _ time.Duration) error {
			return s.Reboot(in)
		},
	},
	"aws:ec2:terminate-instances": {
		instanceKind,
		"Terminate the specified EC2 instances.",
		func(s *world.State, in *world.Instance, _ time.Duration) error {
			s.Terminate(in, world.ReasonUser)
			return nil
		},
	},
}

// maxSpot is how many spot instances one action may interrupt.
const maxSpot = 5

var minutes = regexp.MustCompile(`^PT(\d+)M$`)

// notice is how long before the interruption the action begins: 2 to 15
// minutes.
func (a action) notice() (time.Duration, error) {
	if a.ID != "aws:ec2:send-spot-instance-interruptions" {
		return 0, nil
	}
	m := minutes.FindStringSubmatch(a.Parameters["durationBeforeInterruption"])
	if m == nil {
		return 0, invalid("durationBeforeInterruption must be from PT2M to PT15M.")
	}
	n, err := strconv.Atoi(m[1])
	if err != nil || n < 2 || n > 15 {
		return 0, invalid("durationBeforeInterruption must be from PT2M to PT15M.")
	}
	return time.Duration(n) * time.Minute, nil
}

// run does the action to the instances of its targets.
func (a action) run(s *world.State, targets map[string]target) error {
	notice, err := a.notice()
	if err != nil {
		return err
	}
	for _, name := range a.Targets {
		chosen, err := targets[name].choose(s)
		if err != nil {
			return err
		}
		if len(chosen) == 0 {
			return errors.New("target resolution returned empty set")
		}
		for _, in := range chosen {
			if err := deeds[a.ID].do(s, in, notice); err != nil {
				return err
			}
		}
	}
	return nil
}

// choose lists the instances of a target: those that fit, as many as its mode
// says, by the dice.
func (t target) choose(s *world.State) ([]*world.Instance, error) {
	var fit []*world.Instance
	for _, in := range s.Instances {
		if t.fits(s, in) {
			fit = append(fit, in)
		}
	}
	n, err := t.count(len(fit))
	if err != nil {
		return nil, err
	}
	if n < len(fit) {
		s.Shuffle(len(fit), func(i, j int) { fit[i], fit[j] = fit[j], fit[i] })
		fit = fit[:n]
	}
	if t.Kind == spotKind && len(fit) > maxSpot {
		fit = fit[:maxSpot]
	}
	return fit, nil
}

func (t target) fits(s *world.State, in *world.Instance) bool {
	state := in.State(s.Now)
	if state != world.Running && state != world.Pending || t.Kind == spotKind && !in.Spot {
		return false
	}
	if len(t.ARNs) > 0 && !slices.Contains(t.ARNs, s.ARN("ec2", "instance/"+in.ID)) {
		return false
	}
	for key, value := range t.Tags {
		if !slices.Contains(in.Tags, launchspec.Tag{Key: key, Value: value}) {
			return false
		}
	}
	return !slices.ContainsFunc(t.Filters, func(f filter) bool { return !slices.Contains(f.Values, f.of(s, in)) })
}

// of is the field that a filter looks at; empty when it is not simulated, so
// that nothing passes.
func (f filter) of(s *world.State, in *world.Instance) string {
	switch f.Path {
	case "State.Name":
		return in.State(s.Now).String()
	case "InstanceType":
		return in.Type.Name
	case "Placement.AvailabilityZone":
		return in.Subnet.Zone.Name
	case "Placement.AvailabilityZoneId":
		return in.Subnet.Zone.ID
	case "SubnetId":
		return in.Subnet.ID
	case "VpcId":
		return s.VPC.ID
	case "Architecture":
		return in.Type.Arch
	case "InstanceLifecycle":
		return in.Lifecycle()
	}
	return ""
}

// count is how many of so many instances the selection mode takes.
func (t target) count(of int) (int, error) {
	kind, rest, counted := strings.Cut(strings.TrimSuffix(t.Mode, ")"), "(")
	n, err := strconv.Atoi(rest)
	switch {
	case t.Mode == "ALL":
		return of, nil
	case counted && err == nil && n > 0 && kind == "COUNT":
		return min(n, of), nil
	case counted && err == nil && n > 0 && n <= 100 && kind == "PERCENT":
		return max(min(of, 1), of*n/100), nil
	}
	return 0, invalid("The selection mode %q is not valid: want ALL, COUNT(n) or PERCENT(n).", t.Mode)
}
