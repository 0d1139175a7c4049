package aws

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/awssim/fault"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/awserror"
)

// notSoldHere is what EC2 says of a type in a zone that does not sell it.
var notSoldHere = refusal(400, "Unsupported")

// validation is what ValidationSucceeded says of a class, after it was looked at again.
func (b *bench) validation(t *testing.T, class string) metav1.Condition {
	t.Helper()
	if err := b.resolve(t, class); err != nil {
		t.Fatal(err)
	}
	return *condition.Get(b.classNamed(t, class), awsv1.ConditionValidationSucceeded)
}

// create makes a class while the cloud runs.
func (b *bench) create(t *testing.T, class *awsv1.EC2NodeClass) {
	t.Helper()
	if err := b.kube.Create(t.Context(), class); err != nil {
		t.Fatal(err)
	}
}

// A Local Zone sells few types. A class that is there alone must be tried with one of those.
func TestTheDryRunIsOfATypeThatTheZoneSells(t *testing.T) {
	t.Parallel()
	b := newBostonBench(t)
	subnets := b.classNamed(t, "default").Status.Subnets
	i := slices.IndexFunc(subnets, func(s awsv1.Subnet) bool { return s.Zone == boston })
	b.create(t, nodeClass("edge", func(c *awsv1.EC2NodeClass) {
		c.Spec.SubnetSelectorTerms = []awsv1.SubnetSelectorTerm{{ID: subnets[i].ID}}
	}))
	if got := b.validation(t, "edge"); got.Status != metav1.ConditionTrue {
		t.Errorf("ValidationSucceeded is %s: %s", got.Status, got.Message)
	}
}

// Accounts forbid what their NodePools do not use.
func TestTheDryRunIsOfATypeThatANodePoolMayBuy(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	pool := &karpenterv1.NodePool{ObjectMeta: metav1.ObjectMeta{Name: "general"}}
	r := ref("strict")
	pool.Spec.Template.Spec.NodeClassRef = &r
	pool.Spec.Template.Spec.Requirements = []karpenterv1.Requirement{oneOf(awsv1.LabelInstanceFamily, "c6i")}
	if err := b.kube.Create(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	b.create(t, nodeClass("strict"))
	b.withTrouble(t).on("RunInstances", func(r request) (*http.Response, error) {
		if strings.HasPrefix(r.form.Get("InstanceType"), "c6i.") {
			return r.pass()
		}
		return refusal(403, "UnauthorizedOperation")(r)
	})
	if got := b.validation(t, "strict"); got.Status != metav1.ConditionTrue {
		t.Errorf("ValidationSucceeded is %s: %s", got.Status, got.Message)
	}
}

func TestTheDryRunGoesFromZoneToZone(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why     string
		answers []mischief // of RunInstances, in turn; the last for all further calls
		want    metav1.ConditionStatus
	}{
		"SoldInTheNext": {
			"a launch goes to the next zone too",
			[]mischief{notSoldHere, direct},
			metav1.ConditionTrue,
		},
		"FullInTheFirst": {
			"a full subnet is no fault of the class",
			[]mischief{refusal(400, "InsufficientFreeAddressesInSubnet"), direct},
			metav1.ConditionTrue,
		},
		"SoldOutInAll": {"nor is a lack of machines", []mischief{notSoldHere}, metav1.ConditionTrue},
		"AllowedInTheNext": {
			"a policy may know one subnet alone",
			[]mischief{refusal(403, "UnauthorizedOperation"), direct},
			metav1.ConditionTrue,
		},
		"AllowedNowhere": {
			"nothing would be launched",
			[]mischief{refusal(403, "UnauthorizedOperation")},
			metav1.ConditionFalse,
		},
		"AllowedWhereSoldOut": {
			"who may not is not helped by a lack of machines",
			[]mischief{refusal(403, "UnauthorizedOperation"), notSoldHere},
			metav1.ConditionFalse,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			calls := 0
			b.withTrouble(t).on("RunInstances", func(r request) (*http.Response, error) {
				calls++
				return tc.answers[min(calls, len(tc.answers))-1](r)
			})
			if got := b.validation(t, "default"); got.Status != tc.want {
				t.Errorf("%s\nValidationSucceeded is %s: %s; want %s", tc.why, got.Status, got.Message, tc.want)
			}
			if calls > triedZones+maxOthers {
				t.Errorf("%d dry runs in %d zones and of %d further types", calls, triedZones, maxOthers)
			}
		})
	}
}

// Policies of an account may forbid the type that is tried first. A class is refused only once others were.
func TestTheDryRunGoesFromTypeToType(t *testing.T) {
	t.Parallel()
	for name, allowed := range map[string]func(string) bool{
		"AnotherFamily": func(name string) bool { return strings.HasPrefix(name, "r") },
		"AnotherSize":   func(name string) bool { return !strings.HasSuffix(name, ".large") },
		"None":          func(string) bool { return false },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			pool := &karpenterv1.NodePool{ObjectMeta: metav1.ObjectMeta{Name: "general"}}
			r := ref("strict")
			pool.Spec.Template.Spec.NodeClassRef = &r
			pool.Spec.Template.Spec.Requirements = []karpenterv1.Requirement{
				oneOf(awsv1.LabelInstanceCategory, "c", "m", "r"),
			}
			if err := b.kube.Create(t.Context(), pool); err != nil {
				t.Fatal(err)
			}
			b.create(t, nodeClass("strict"))
			refused := map[string]bool{}
			tr := b.withTrouble(t)
			tr.on("RunInstances", func(r request) (*http.Response, error) {
				name := r.form.Get("InstanceType")
				if r.form.Get("MetadataOptions.HttpTokens") != "required" ||
					r.form.Get("BlockDeviceMapping.1.Ebs.VolumeSize") == "" {
					t.Errorf("the dry run does not repeat what policies look at: %v", r.form)
				}
				if allowed(name) {
					return r.pass()
				}
				refused[name] = true
				return refusal(403, "UnauthorizedOperation")(r)
			})
			got := b.validation(t, "strict")
			if name == "None" {
				if got.Status != metav1.ConditionFalse || got.Reason != awsv1.ReasonRunInstancesAuthCheckFailed {
					t.Errorf("ValidationSucceeded is %s, %s", got.Status, got.Reason)
				}
				return
			}
			if got.Status != metav1.ConditionTrue || !strings.Contains(got.Message, "m5.large") {
				t.Errorf(
					"ValidationSucceeded is %s: %q; want True, with the types that are left out",
					got.Status,
					got.Message,
				)
			}
			for _, it := range b.available(t, "strict", "on-demand") {
				if name, _, _ := strings.Cut(it, "/"); refused[name] {
					t.Errorf("%s is on offer still", it)
				}
			}
		})
	}
}

// Policies may forbid machines on demand, to save, or on spot, to be safe.
func TestTheDryRunIsOfACapacityTypeThatNodePoolsMayBuy(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why     string
		asks    []string // capacity types of the NodePool
		allowed string
		want    metav1.ConditionStatus
	}{
		"SpotAlone":    {"Nothing else would be bought.", []string{"spot"}, "spot", metav1.ConditionTrue},
		"EitherSpot":   {"Launches go to spot.", []string{"spot", "on-demand"}, "spot", metav1.ConditionTrue},
		"EitherDemand": {"Spot is not.", []string{"spot", "on-demand"}, "on-demand", metav1.ConditionTrue},
		"Reserved":     {"It is launched as on demand is.", []string{"reserved"}, "on-demand", metav1.ConditionTrue},
		"Forbidden":    {"Nothing could be launched.", []string{"on-demand"}, "spot", metav1.ConditionFalse},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			pool := &karpenterv1.NodePool{ObjectMeta: metav1.ObjectMeta{Name: "general"}}
			r := ref("strict")
			pool.Spec.Template.Spec.NodeClassRef = &r
			pool.Spec.Template.Spec.Requirements = []karpenterv1.Requirement{
				oneOf(karpenterv1.CapacityTypeLabelKey, tc.asks...),
			}
			if err := b.kube.Create(t.Context(), pool); err != nil {
				t.Fatal(err)
			}
			b.create(t, nodeClass("strict"))
			tr := b.withTrouble(t)
			tr.on("RunInstances", only(tc.allowed, "InstanceMarketOptions.MarketType", "", "on-demand"))
			const fleets = "TargetCapacitySpecification.DefaultTargetCapacityType"
			tr.on("CreateFleet", only(tc.allowed, fleets, "on-demand"))
			if got := b.validation(t, "strict"); got.Status != tc.want {
				t.Errorf("%s\nValidationSucceeded is %s: %s; want %s", tc.why, got.Status, got.Message, tc.want)
			}
		})
	}
}

// only lets calls through whose field names the allowed capacity type; onDemand are the field's values for on demand.
func only(allowed, field string, onDemand ...string) mischief {
	return func(r request) (*http.Response, error) {
		if slices.Contains(onDemand, r.form.Get(field)) == (allowed == karpenterv1.CapacityTypeOnDemand) {
			return r.pass()
		}
		return refusal(403, "UnauthorizedOperation")(r)
	}
}

// What is no permission must not read as one.
func TestARootVolumeThatIsTooSmallIsNoLackOfAPermission(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.withTrouble(t).on("RunInstances", refusal(400, "InvalidBlockDeviceMapping"))
	b.create(t, nodeClass("small"))
	if got := b.validation(t, "small"); got.Status != metav1.ConditionFalse || got.Reason != "RunInstancesRefused" {
		t.Errorf("ValidationSucceeded is %s, %s: %s", got.Status, got.Reason, got.Message)
	}
}

// A passed dry run is trusted for half an hour, although addresses come and go meanwhile.
func TestADryRunIsNotRepeatedBecauseAddressesWereUsed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	before := b.calls("RunInstances")
	if _, err := b.Launch(t.Context(), b.orderFor(t, claim("general-1", "default"))); err != nil {
		t.Fatal(err)
	}
	b.clock.Step(2 * time.Minute)
	b.validation(t, "default")
	if n := b.calls("RunInstances") - before; n != 0 {
		t.Errorf("%d more dry runs", n)
	}
}

// EC2 adds to each denial a text that differs each time.
func TestADenialIsOneConditionThatHoldsStill(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if _, err := b.sim.Faults().Add(fault.Rule{Kind: fault.AccessDenied, Action: "RunInstances"}); err != nil {
		t.Fatal(err)
	}
	b.create(t, nodeClass("denied"))
	got := b.validation(t, "denied")
	if got.Reason != awsv1.ReasonRunInstancesAuthCheckFailed ||
		!strings.HasPrefix(got.Message, "The controller's IAM role does not allow ec2:RunInstances: ") {
		t.Errorf("%s: %s", got.Reason, got.Message)
	}
	if again := b.validation(t, "denied"); again.Message != got.Message {
		t.Errorf("the message has changed to %s", again.Message)
	}
}

func TestAnInstanceProfileThatIsNotThere(t *testing.T) {
	t.Parallel()
	t.Run("TheUsers", func(t *testing.T) {
		t.Parallel()
		b := newBench(
			t,
			nodeClass(
				"own",
				func(c *awsv1.EC2NodeClass) { c.Spec.Role, c.Spec.InstanceProfile = "", ptr("misspelt") },
			),
		)
		got := b.validation(t, "own")
		if got.Status != metav1.ConditionFalse || got.Reason != awsv1.ReasonInstanceProfileNotFound ||
			!strings.Contains(got.Message, `"misspelt" does not exist; create it`) {
			t.Errorf("ValidationSucceeded is %s, %s: %s", got.Status, got.Reason, got.Message)
		}
	})
	t.Run("OursAndNew", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		tr := b.withTrouble(t)
		tr.on(
			"RunInstances",
			answer(
				400,
				"<Response><Errors><Error><Code>InvalidParameterValue</Code><Message>Value (x) for parameter iamInstanceProfile.name is invalid. "+
					"Invalid IAM Instance Profile name</Message></Error></Errors><RequestID>r</RequestID></Response>",
			),
		)
		b.create(t, nodeClass("new"))
		again, err := b.ResolveClass(t.Context(), ref("new"))
		if err != nil || again > 10*time.Second {
			t.Errorf("looked at again after %s, %v; IAM takes a few seconds", again, err)
		}
		if got := condition.Get(
			b.classNamed(t, "new"),
			awsv1.ConditionValidationSucceeded,
		); got.Status != metav1.ConditionUnknown ||
			got.Reason != awsv1.ReasonInstanceProfileNotFound {
			t.Errorf("ValidationSucceeded is %s, %s: nothing is wrong yet", got.Status, got.Reason)
		}
		tr.on("RunInstances", direct)
		if got := b.validation(t, "new"); got.Status != metav1.ConditionTrue {
			t.Errorf("ValidationSucceeded is %s: %s", got.Status, got.Message)
		}
	})
	t.Run("OursAndDeletedBySomebody", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		name := b.classNamed(t, "default").Status.InstanceProfile
		api := iam.NewFromConfig(b.deps.Config)
		role := nodeRole
		if _, err := api.RemoveRoleFromInstanceProfile(
			t.Context(),
			&iam.RemoveRoleFromInstanceProfileInput{InstanceProfileName: &name, RoleName: &role},
		); err != nil {
			t.Fatal(err)
		}
		if _, err := api.DeleteInstanceProfile(
			t.Context(),
			&iam.DeleteInstanceProfileInput{InstanceProfileName: &name},
		); err != nil {
			t.Fatal(err)
		}
		order := b.orderFor(t, claim("general-1", "default", onDemandAMD64...))
		_, err := b.Launch(t.Context(), order)
		var launch *provider.LaunchError
		if !errors.As(err, &launch) || launch.Reason != awserror.ReasonInstanceProfileName {
			t.Fatalf("got %v, want reason %s", err, awserror.ReasonInstanceProfileName)
		}
		if err := b.resolve(t, "default"); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Launch(t.Context(), order); err != nil {
			t.Errorf("the profile was not made again: %v", err)
		}
	})
}

// EC2 may not know a launch template yet that was just made, and somebody may delete one.
func TestALaunchTemplateThatEC2DoesNotKnowIsNoFaultOfTheClass(t *testing.T) {
	t.Parallel()
	gone := refusal(400, "InvalidLaunchTemplateName.NotFoundException")
	for _, call := range []string{"CreateFleet", "RunInstances"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			tr := b.withTrouble(t)
			tr.on(call, gone)
			b.create(t, nodeClass("new"))
			if err := b.resolve(t, "new"); err == nil {
				t.Error("nobody comes again soon")
			}
			if got := condition.Get(
				b.classNamed(t, "new"),
				awsv1.ConditionValidationSucceeded,
			); got.Status != metav1.ConditionUnknown {
				t.Errorf("ValidationSucceeded is %s: %s", got.Status, got.Message)
			}
			looked := len(tr.asked["DescribeLaunchTemplates"])
			tr.on(call, direct)
			if got := b.validation(t, "new"); got.Status != metav1.ConditionTrue {
				t.Errorf("ValidationSucceeded is %s: %s", got.Status, got.Message)
			}
			if len(tr.asked["DescribeLaunchTemplates"]) == looked {
				t.Error("the template was not looked for again")
			}
		})
	}
}
