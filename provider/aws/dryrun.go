package aws

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/awserror"
	"github.com/dovetail-sh/dovetail/provider/aws/fleet"
	"github.com/dovetail-sh/dovetail/provider/aws/image"
	"github.com/dovetail-sh/dovetail/provider/aws/instancetype"
	"github.com/dovetail-sh/dovetail/provider/aws/inventory"
	"github.com/dovetail-sh/dovetail/provider/aws/launchtemplate"
	"github.com/dovetail-sh/dovetail/provider/aws/offering"
)

// commonTypes are sold nearly everywhere, and few policies forbid them.
var commonTypes = []string{"m5.large", "m6g.large"}

// trial is a launch that is tried without being made.
type trial struct {
	instanceType, zone, subnet string
	capacityType               string // shape.OnDemand or shape.Spot
	content                    launchtemplate.Content
}

// validationKey is the same while a class's trials come to the same. Which subnet of a zone has the most free addresses
// does not count: that changes all the time.
func validationKey(class *awsv1.EC2NodeClass, trials tryOut) (string, error) {
	var parts []string
	for _, s := range class.Status.Subnets {
		parts = append(parts, s.ID)
	}
	for _, t := range slices.Concat(trials.zones, trials.others) {
		name, err := launchtemplate.Name(t.content)
		if err != nil {
			return "", err
		}
		parts = append(parts, strings.Join([]string{t.zone, t.instanceType, t.capacityType, name}, "/"))
	}
	slices.Sort(parts)
	return class.Name + "/" + strings.Join(parts, ","), nil
}

// tryOut is what a class is tried with.
type tryOut struct {
	// zones are a launch in each zone of the class: in the subnet that a launch would take, of a type that is sold
	// there, runs one of the class's images and may come from one of its NodePools. There is none for a zone without
	// such a type.
	zones []trial

	// others are launches in the first of these zones of the other capacity type and of further types, for accounts
	// whose policies forbid some.
	others []trial
}

// maxOthers is how many further launches are tried before a class is refused: each is a call a minute while it stays
// refused.
const maxOthers = 5

// trials says what a class is to be tried with.
func (c *validator) trials(
	ctx context.Context,
	class *awsv1.EC2NodeClass,
	claim *karpenterv1.NodeClaim,
) (tryOut, error) {
	sold, err := c.inventory.List(ctx)
	if err != nil {
		return tryOut{}, err
	}
	wishes, err := c.wishes(ctx, class)
	if err != nil {
		return tryOut{}, err
	}
	kubelets, err := kubeletsOf(ctx, c.inventory, c.catalogue.setup(class), class)
	if err != nil {
		return tryOut{}, err
	}
	var out tryOut
	markets := marketsOf(wishes)
	seen := map[string]bool{}
	for _, where := range class.Status.Subnets { // that with the most free addresses first
		if seen[where.Zone] {
			continue
		}
		seen[where.Zone] = true
		samples := unlike(c.examples(class, sold, where.Zone, wishes), 1+maxOthers-len(markets[1:]))
		for i, s := range samples {
			v := variant{imageID: s.ami.ID, maxPods: typicalPods, dedicated: onlyDedicated(wishes)}
			if v.kubelet, err = kubelets.of(s.name); err != nil {
				return tryOut{}, err // cannot be: examples leave such types out
			}
			content, err := c.contents.content(ctx, class, claim, v)
			if err != nil {
				return tryOut{}, err
			}
			t := trial{s.name, where.Zone, where.ID, markets[0], content}
			if i > 0 {
				out.others = append(out.others, t)
				continue
			}
			if out.zones = append(out.zones, t); len(out.zones) > 1 {
				break // the others were those of the first zone
			}
			for _, other := range markets[1:] {
				t.capacityType = other
				out.others = append(out.others, t)
			}
		}
	}
	return out, nil
}

// marketsOf are the capacity types to be tried by what NodePools require, those that they may buy first, on demand
// before spot. What is reserved is launched as on demand is. Where only spot may be bought, on demand is tried last:
// fewer policies are written for dry runs on spot than for launches.
func marketsOf(wishes []require.Set) []string {
	var out []string
	for _, market := range []string{shape.OnDemand, shape.Spot} {
		if len(wishes) == 0 || slices.ContainsFunc(wishes, func(w require.Set) bool {
			asked := w.Get(shape.LabelCapacityType)
			return asked.Has(market) || market == shape.OnDemand && asked.Has(shape.Reserved)
		}) {
			out = append(out, market)
		}
	}
	if !slices.Contains(out, shape.OnDemand) {
		out = append(out, shape.OnDemand)
	}
	return out
}

// wishes are what each NodePool of the class requires of its nodes. Policies may forbid everything else.
func (c *validator) wishes(ctx context.Context, class *awsv1.EC2NodeClass) ([]require.Set, error) {
	pools := &karpenterv1.NodePoolList{}
	if err := c.client.List(ctx, pools); err != nil {
		return nil, fmt.Errorf("listing the NodePools of EC2NodeClass %s: %w", class.Name, err)
	}
	var out []require.Set
	for i := range pools.Items {
		claim := pools.Items[i].Spec.Template.NodeClaim()
		ref := claim.Spec.NodeClassRef
		if ref == nil || ref.GroupKind() != classGroupKind || ref.Name != class.Name {
			continue
		}
		if reqs, err := provider.RequirementsOf(
			claim,
			awsv1.LabelAliases(),
		); err == nil { // the schema lets no other operator through
			out = append(out, require.New(reqs))
		}
	}
	return out, nil
}

// sample is a type that a class can be tried with, and the image that it starts from.
type sample struct {
	name string
	ami  awsv1.AMI
}

// examples are the types that a class can be tried with in a zone: those that one of the NodePools may buy, and if
// there are none all others; common ones first.
func (c *validator) examples(
	class *awsv1.EC2NodeClass,
	sold *inventory.List,
	zone string,
	wishes []require.Set,
) []sample {
	base := c.catalogue.setup(class)
	for _, wished := range [][]require.Set{wishes, nil} {
		var common, out []sample
		for _, info := range sold.Types {
			name := string(info.InstanceType)
			if !slices.Contains(sold.Zones[name], zone) || !instancetype.Supported(info, class) {
				continue
			}
			setup, err := base.For(info)
			if err != nil {
				continue
			}
			it := instancetype.New(info, setup)
			if len(wished) > 0 &&
				!slices.ContainsFunc(wished, func(w require.Set) bool { return meets(it, zone, w) }) {
				continue
			}
			ami, ok := image.For(class.Status.AMIs, it)
			switch {
			case !ok:
			case slices.Contains(commonTypes, name):
				common = append(common, sample{name, ami})
			default:
				out = append(out, sample{name, ami})
			}
		}
		slices.SortFunc(common, func(a, b sample) int {
			return cmp.Compare(slices.Index(commonTypes, a.name), slices.Index(commonTypes, b.name))
		})
		if out = append(common, out...); len(out) > 0 {
			return out
		}
	}
	return nil
}

// unlike picks up to n samples that have as little as can be in common with those before them: first of other images,
// then of other categories, then of other families, then of other sizes.
func unlike(samples []sample, n int) []sample {
	var out []sample
	took := map[string]bool{}
	for _, traits := range []func(sample) string{
		func(s sample) string { return s.ami.ID },
		func(s sample) string {
			return strings.TrimRight(s.name[:strings.IndexAny(s.name+"0", "0123456789")], "-")
		},
		func(s sample) string { family, _, _ := strings.Cut(s.name, "."); return family },
		func(s sample) string { _, size, _ := strings.Cut(s.name, "."); return size },
	} {
		seen := map[string]bool{}
		for _, s := range out {
			seen[traits(s)] = true
		}
		for _, s := range samples {
			if len(out) == n {
				return out
			}
			if trait := traits(s); !seen[trait] && !took[s.name] {
				seen[trait], took[s.name] = true, true
				out = append(out, s)
			}
		}
	}
	return out
}

// meets reports whether a type without offerings has, in a zone, what is required.
func meets(it *shape.InstanceType, zone string, wanted require.Set) bool {
	if !wanted.Get(shape.LabelZone).Has(zone) {
		return false
	}
	return !slices.ContainsFunc(
		it.Requirements,
		func(r shape.Requirement) bool { return !wanted.Get(r.Key).Overlaps(require.Of(r)) },
	)
}

// dryRun asks EC2 whether each call of a launch would be let through. One trial that is let through is enough: a type
// may be sold out or unknown in one zone, or forbidden, and a launch goes to another then. Types that are refused are
// left out of launches for a while, and named.
func (c *validator) dryRun(ctx context.Context, class *awsv1.EC2NodeClass, try tryOut) (verdict, error) {
	r := &rehearsal{validator: c, class: class}
	for _, call := range []func(context.Context, trial) (bool, error){r.fleet, r.instance} {
		r.first, r.refused = nil, nil
		passed, err := r.any(ctx, try.zones, call)
		if err == nil && !passed && r.first != nil {
			passed, err = r.any(ctx, try.others, call)
		}
		switch {
		case r.given != nil:
			return *r.given, nil
		case err != nil:
			return verdict{}, err
		case !passed && r.first != nil:
			return *r.first, nil
		}
	}
	return verdict{metav1.ConditionTrue, awsv1.ConditionValidationSucceeded, r.leaveOut()}, nil
}

// rehearsal is a dry run on its way.
type rehearsal struct {
	validator *validator
	class     *awsv1.EC2NodeClass
	first     *verdict // the first refusal
	refused   []trial  // those that were refused
	passed    trial    // what was let through
	given     *verdict // what is certain whatever other trials would say
}

// any reports whether one of the trials is let through.
func (r *rehearsal) any(
	ctx context.Context,
	trials []trial,
	call func(context.Context, trial) (bool, error),
) (bool, error) {
	for _, t := range trials {
		passed, err := call(ctx, t)
		if passed || err != nil || r.given != nil {
			return passed, err
		}
	}
	return false, nil
}

// fleet tries CreateFleet.
func (r *rehearsal) fleet(ctx context.Context, t trial) (bool, error) {
	template, err := r.template(ctx, t)
	if template == "" {
		return false, err
	}
	_, err = r.validator.ec2.CreateFleet(ctx, r.validator.tryFleet(r.class, t, template))
	return r.read(t, template, err, "ec2:CreateFleet", awsv1.ReasonCreateFleetAuthCheckFailed)
}

// template makes a trial's launch template. It is empty if there is none, and then there is an error or a verdict.
func (r *rehearsal) template(ctx context.Context, t trial) (string, error) {
	name, err := r.validator.templates.Ensure(ctx, t.content)
	if err == nil {
		return name, nil
	}
	v, err := permission(err, "ec2:CreateLaunchTemplate", awsv1.ReasonCreateLaunchTemplateAuthCheckFailed)
	if err == nil {
		r.given = &v
	}
	return "", err
}

// instance tries RunInstances.
func (r *rehearsal) instance(ctx context.Context, t trial) (bool, error) {
	template, err := r.template(ctx, t)
	if template == "" {
		return false, err
	}
	_, err = r.validator.ec2.RunInstances(ctx, r.validator.tryInstance(r.class, t, template))
	if awserror.IsNoProfile(err) {
		v := r.validator.noProfile(r.class)
		r.given = &v
		return false, nil
	}
	return r.read(t, template, err, "ec2:RunInstances", awsv1.ReasonRunInstancesAuthCheckFailed)
}

// read is what EC2's answer to a trial says.
func (r *rehearsal) read(t trial, template string, err error, action, reason string) (passed bool, _ error) {
	switch {
	case err == nil || awserror.IsDryRunPassed(err):
		r.passed = t
		return true, nil
	case awserror.IsNoCapacity(awserror.Code(err)):
		return false, nil // no fault of the class
	case awserror.IsLaunchTemplateNotFound(err):
		return false, r.validator.noTemplate(template, err)
	}
	v, err := permission(err, action, reason)
	if err != nil {
		return false, err
	}
	if r.first == nil {
		r.first = &v
	}
	r.refused = append(r.refused, t)
	return false, nil
}

// leaveOut keeps launches off what was refused while another trial was let through, and says so; empty if nothing was.
func (r *rehearsal) leaveOut() string {
	if len(r.refused) == 0 {
		return ""
	}
	var pools []offering.Pool
	var names []string
	for _, t := range r.refused {
		name, zones := t.instanceType, slices.Collect(maps.Keys(zoneIDs(r.class)))
		markets := []string{shape.OnDemand, shape.Spot}
		switch {
		case t.instanceType != r.passed.instanceType:
		case t.capacityType != r.passed.capacityType: // so it is the capacity type's matter
			name, markets = name+" "+t.capacityType, []string{t.capacityType}
		default: // it is the zone's
			name, zones = name+" in "+t.zone, []string{t.zone}
		}
		for _, zone := range zones {
			for _, capacityType := range markets {
				pools = append(
					pools,
					offering.Pool{CapacityType: capacityType, InstanceType: t.instanceType, Zone: zone},
				)
			}
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	r.validator.shortage.Note(pools...)
	return fmt.Sprintf("Launches leave out %s: %s", strings.Join(names, ", "), r.first.message)
}

func (c *validator) tryFleet(class *awsv1.EC2NodeClass, t trial, template string) *ec2.CreateFleetInput {
	in := fleet.Input(
		fleet.Request{
			CapacityType: t.capacityType,
			Tags:         c.contents.tags(class, validationPool),
			Offers: []fleet.Offer{
				{
					InstanceType: t.instanceType,
					Zone:         t.zone,
					Subnet:       t.subnet,
					ImageID:      t.content.ImageID,
					Template:     template,
				},
			},
		},
	)
	in.DryRun = awssdk.Bool(true)
	return in
}

func (c *validator) tryInstance(class *awsv1.EC2NodeClass, t trial, template string) *ec2.RunInstancesInput {
	tags := launchtemplate.Tags(c.contents.tags(class, validationPool))
	in := &ec2.RunInstancesInput{
		DryRun:       awssdk.Bool(true),
		MinCount:     awssdk.Int32(1),
		MaxCount:     awssdk.Int32(1),
		InstanceType: ec2types.InstanceType(t.instanceType),
		LaunchTemplate: &ec2types.LaunchTemplateSpecification{
			LaunchTemplateName: awssdk.String(template),
			Version:            awssdk.String("$Latest"),
		},

		// What the template says is said again: some keys of policies have the request's values alone.
		MetadataOptions:     launchtemplate.Metadata(t.content),
		BlockDeviceMappings: launchtemplate.BlockDevices(t.content),

		NetworkInterfaces: []ec2types.InstanceNetworkInterfaceSpecification{
			{DeviceIndex: awssdk.Int32(0), SubnetId: awssdk.String(t.subnet), Groups: t.content.SecurityGroups},
		},
		TagSpecifications: []ec2types.TagSpecification{
			{ResourceType: ec2types.ResourceTypeInstance, Tags: tags},
			{ResourceType: ec2types.ResourceTypeVolume, Tags: tags},
		},
	}
	if t.capacityType == shape.Spot {
		in.InstanceMarketOptions = &ec2types.InstanceMarketOptionsRequest{MarketType: ec2types.MarketTypeSpot}
		in.TagSpecifications = append(
			in.TagSpecifications,
			ec2types.TagSpecification{ResourceType: ec2types.ResourceTypeSpotInstancesRequest, Tags: tags},
		)
	}
	return in
}

// noTemplate is for a launch template that EC2 does not know: it was just made, or somebody has deleted it. That is no
// fault of the class; it is made again when the class is next looked at.
func (c *validator) noTemplate(name string, err error) error {
	c.templates.Forget(name)
	return fmt.Errorf("trying launch template %s: %w", name, err)
}

// noProfile is for a profile that EC2 does not know. One that we made is on its way there from IAM, or was deleted by
// somebody else; it is looked at again.
func (c *validator) noProfile(class *awsv1.EC2NodeClass) verdict {
	name := class.Status.InstanceProfile
	if class.Spec.Role == "" {
		return refused(
			awsv1.ReasonInstanceProfileNotFound,
			fmt.Sprintf("Instance profile %q does not exist; create it or correct spec.instanceProfile", name),
		)
	}
	c.profiles.Forget(name)
	return verdict{metav1.ConditionUnknown, awsv1.ReasonInstanceProfileNotFound,
		fmt.Sprintf("EC2 does not know instance profile %q yet; IAM takes a few seconds to spread it", name)}
}

// refusedReason is that of a class whose launches EC2 refuses for another reason than a permission, by the reason that
// the lack of one would have.
var refusedReason = map[string]string{
	awsv1.ReasonCreateLaunchTemplateAuthCheckFailed: "CreateLaunchTemplateRefused",
	awsv1.ReasonCreateFleetAuthCheckFailed:          "CreateFleetRefused",
	awsv1.ReasonRunInstancesAuthCheckFailed:         "RunInstancesRefused",
}

// permission turns a refusal into a verdict. Throttling and outages are errors.
func permission(err error, action, reason string) (verdict, error) {
	if awserror.IsUnauthorized(err) {
		return refused(
			reason,
			fmt.Sprintf("The controller's IAM role does not allow %s: %s", awserror.Action(err), awserror.Text(err)),
		), nil
	}
	if awserror.IsDefinite(err) && !awserror.IsThrottled(err) {
		return refused(
			refusedReason[reason],
			fmt.Sprintf("EC2 refuses %s for this class: %s", action, awserror.Text(err)),
		), nil
	}
	return verdict{}, err
}
