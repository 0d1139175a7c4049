package aws

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/provider/aws/awserror"
	"github.com/dovetail-sh/dovetail/provider/aws/kubelet"
	"github.com/dovetail-sh/dovetail/provider/aws/userdata"
)

// validationPool is what templates made only to be validated are tagged with.
const validationPool = "validation"

// typicalPods stands in for the number of pods while no instance type is chosen.
const typicalPods = 110

// verdict is what ValidationSucceeded says.
type verdict struct {
	status          metav1.ConditionStatus
	reason, message string
}

// validate checks what selectors cannot: tags, user data, and by dry runs the permissions.
func (c *validator) validate(ctx context.Context, class *awsv1.EC2NodeClass) error {
	v, err := c.judge(ctx, class)
	if err != nil {
		return c.unresolved(class, awsv1.ConditionValidationSucceeded, err)
	}
	condition.Set(class, c.clock.Now(), metav1.Condition{
		Type: awsv1.ConditionValidationSucceeded, Status: v.status, Reason: v.reason, Message: sentence(v.message),
	})
	return nil
}

func (c *validator) judge(ctx context.Context, class *awsv1.EC2NodeClass) (verdict, error) {
	if wrong := kubelet.Judge(class.Spec.Kubelet, class.AMIFamily(), c.settings.KubeletExpressions); wrong != nil {
		return refused(wrong.Reason, wrong.Message), nil
	}
	kubelets, err := kubeletsOf(ctx, c.inventory, c.catalogue.setup(class), class)
	if err != nil {
		return verdict{}, err
	}
	sample, unfit, err := kubelets.sample()
	if err != nil {
		return refused(awsv1.ReasonKubeletExpressionEvaluationFailed, err.Error()), nil
	}
	if err := checkTags(class.Spec.Tags); err != nil {
		return refused(awsv1.ReasonTagValidationFailed, err.Error()), nil
	}
	claim := &karpenterv1.NodeClaim{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{karpenterv1.NodePoolLabelKey: validationPool}},
	}
	text, err := c.contents.userData(ctx, class, claim, variant{maxPods: typicalPods, kubelet: sample})
	c.meterUserData(class.Name, text, err)
	if err != nil {
		return userDataVerdict(err)
	}
	if needed := missing(class); needed != "" {
		return verdict{metav1.ConditionUnknown, awsv1.ReasonDependenciesNotReady, needed + " must be True first"}, nil
	}
	if c.settings.DisableDryRun {
		return verdict{metav1.ConditionTrue, awsv1.ReasonDryRunDisabled, remarks(text, unfit)}, nil
	}
	v, err := c.tryLaunches(ctx, class, claim)
	if said := remarks(text, unfit); err == nil && v.status == metav1.ConditionTrue && said != "" {
		v.message = said
	}
	return v, err
}

// missing is the first of the conditions that a dry run needs which is not True; empty if there is none.
func missing(class *awsv1.EC2NodeClass) string {
	for _, needed := range []string{
		awsv1.ConditionAMIsReady, awsv1.ConditionSubnetsReady, awsv1.ConditionSecurityGroupsReady,
		awsv1.ConditionInstanceProfileReady,
	} {
		if !condition.IsTrue(class, needed) {
			return needed
		}
	}
	return ""
}

// tryLaunches makes dry runs, unless launches like them passed a while ago.
func (c *validator) tryLaunches(
	ctx context.Context, class *awsv1.EC2NodeClass, claim *karpenterv1.NodeClaim,
) (verdict, error) {
	trials, err := c.trials(ctx, class, claim)
	if err != nil {
		return verdict{}, err
	}
	if len(trials.zones) == 0 {
		return refused(
			reasonNoType,
			"No instance type that is sold in the zones of the subnets can run any of the class's AMIs; select other subnets or AMIs",
		), nil
	}
	key, err := validationKey(class, trials)
	if err != nil {
		return verdict{}, err
	}
	v, err := c.validated.Get(key, func() (verdict, error) {
		v, err := c.dryRun(ctx, class, trials)
		if err == nil && v.status != metav1.ConditionTrue {
			return v, errRefused // not kept: it is about to be corrected
		}
		return v, err
	})
	if errors.Is(err, errRefused) {
		return v, nil
	}
	return v, err
}

// longUserData is the share of userdata.MaxBytes from which on a user is warned: labels and taints of a NodePool, and a
// new release's own part, come on top.
const longUserData = 0.9

// remarks are what a class that may launch is told of its user data and of types that it leaves out; empty if nothing
// is.
func remarks(text, unfit string) string {
	return strings.Join(
		slices.DeleteFunc([]string{nearlyTooLong(text), unfit}, func(s string) bool { return s == "" }),
		"; ",
	)
}

// nearlyTooLong is what a class that may launch is told of its user data; empty while that is short.
func nearlyTooLong(text string) string {
	if float64(len(text)) < longUserData*userdata.MaxBytes {
		return ""
	}
	return fmt.Sprintf(
		"userData comes to %d bytes with what the node needs to join, of %d that AWS allows; shorten it before it is too long",
		len(text),
		userdata.MaxBytes,
	)
}

// errRefused keeps a refusal out of the memory of verdicts.
var errRefused = errors.New("refused")

func refused(reason, message string) verdict {
	return verdict{metav1.ConditionFalse, reason, message}
}

func userDataVerdict(err error) (verdict, error) {
	var long userdata.TooLong
	var malformed *userdata.Malformed
	switch {
	case errors.As(err, &long):
		return refused(awsv1.ReasonUserDataSizeLimitExceeded, long.Error()), nil
	case errors.As(err, &malformed):
		return refused(reasonUserDataWrong, malformed.Error()), nil
	case isServiceCIDR(err) && (awserror.Action(err) == "" || awserror.IsDefinite(err) && !awserror.IsThrottled(err)):
		return refused(awsv1.ReasonClusterCIDRResolutionFailed,
			"AL2023 nodes need the cluster's service CIDR, and EKS does not tell it: "+awserror.Text(err)), nil
	}
	return verdict{}, err
}
