package aws

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/awserror"
	"github.com/dovetail-sh/dovetail/provider/aws/fleet"
	"github.com/dovetail-sh/dovetail/provider/aws/image"
	"github.com/dovetail-sh/dovetail/provider/aws/offering"
	"github.com/dovetail-sh/dovetail/provider/aws/subnet"
	"github.com/dovetail-sh/dovetail/provider/aws/userdata"
)

// Launch buys the claim's instance: under the capacity type of the cheapest candidate, and if
// EC2 has none of that, under the next. Calls for one token at once become one.
func (c *launcher) Launch(ctx context.Context, order provider.Order) (provider.Machine, error) {
	if order.Claim == nil || order.Claim.Spec.NodeClassRef == nil || order.Token == "" {
		return provider.Machine{}, errors.New("launching: the order needs a claim with a node class, and a token")
	}
	got, err, _ := c.launching.Do(order.Token, func() (any, error) { return c.launch(ctx, order) })
	m, _ := got.(provider.Machine) // the zero Machine when there is an error
	return m, err
}

func (c *launcher) launch(ctx context.Context, order provider.Order) (provider.Machine, error) {
	class, err := c.classes.readyClass(ctx, *order.Claim.Spec.NodeClassRef)
	if err != nil {
		return provider.Machine{}, err
	}
	all := rounds(order.Claim, order.Candidates)
	if len(all) == 0 {
		return provider.Machine{}, fmt.Errorf("no candidates were given: %w", provider.ErrNoCapacity)
	}
	if m, found, err := c.settle(ctx, class, order, all[0][0].Offering.CapacityType); found || err != nil {
		return m, err
	}
	first, doubted := c.parted(order, all)
	m, err := c.buyInTurn(ctx, class, order, append(first, doubted...))
	for _, round := range doubted {
		if kind := round[0].Offering.CapacityType; err == nil && m.CapacityType != kind && c.fails(kind) {
			// The API answers for one capacity type and not for the other: the next plans need not find that out again.
			c.shortage.Note(offering.Pool{CapacityType: kind})
		}
	}
	return m, err
}

// failsAfter is how many launches in a row must go without an answer for a capacity type until its API counts as
// failing. One may have lost its connection, which says nothing of the market.
const failsAfter = 2

// mostAddresses is how many addresses of a subnet a node is taken to need at most: more than any instance type gives to
// pods, and far below what an int32 holds where a class sets maxPods to nonsense.
const mostAddresses = 1 << 10

// fails notes that a launch got no answer for a capacity type, and reports whether its API counts as failing.
func (c *launcher) fails(capacityType string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unanswers[capacityType]++
	return c.unanswers[capacityType] >= failsAfter
}

// answers notes that the API does answer for a capacity type.
func (c *launcher) answers(capacityType string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.unanswers, capacityType)
}

// buyInTurn tries one round after the other. A round in which EC2 had other reasons than a lack of machines gives way
// to the next too: a claim that may be on demand must not wait for the spot market. One that was throttled does not:
// EC2 counts calls and not what they are for, and in every larger burst many claims would end up on demand that spot
// has room for.
func (c *launcher) buyInTurn(
	ctx context.Context,
	class *awsv1.EC2NodeClass,
	order provider.Order,
	all [][]provider.Candidate,
) (provider.Machine, error) {
	var told []string
	var failed error
	for _, round := range all {
		m, err := c.buy(ctx, class, order, round)
		switch {
		case err == nil:
			return m, nil
		case errors.Is(err, provider.ErrNoCapacity):
		case errors.As(err, new(unfilled)):
			failed = cmp.Or(failed, err)
		default:
			return provider.Machine{}, err
		}
		told = append(told, err.Error())
	}
	if failed != nil {
		return provider.Machine{}, failed
	}
	return provider.Machine{}, noCapacity{strings.Join(told, "; ")}
}

// parted sets the rounds apart whose calls ended without an answer and, as is known by now, bought nothing: they are
// tried last. Those that may still have bought something stay first: their client token protects them, and no other's
// would.
func (c *launcher) parted(order provider.Order, all [][]provider.Candidate) (first, doubted [][]provider.Candidate) {
	for _, round := range all {
		doubt := c.attempt(order.Token + "/" + round[0].Offering.CapacityType).doubt
		if !doubt.IsZero() && c.clock.Since(doubt) >= settleFor {
			doubted = append(doubted, round)
			continue
		}
		first = append(first, round)
	}
	return first, doubted
}

// noCapacity is ErrNoCapacity with the account of every round.
type noCapacity struct{ detail string }

func (n noCapacity) Error() string { return n.detail }
func (n noCapacity) Unwrap() error { return provider.ErrNoCapacity }

// buy tries the candidates of one capacity type. ErrNoCapacity if EC2 has none of them.
func (c *launcher) buy(
	ctx context.Context,
	class *awsv1.EC2NodeClass,
	order provider.Order,
	round []provider.Candidate,
) (provider.Machine, error) {
	capacityType := round[0].Offering.CapacityType
	for retried := false; ; retried = true {
		offers, err := c.fleetOffers(ctx, class, order, round)
		if err != nil {
			return provider.Machine{}, err
		}
		if len(offers) == 0 {
			return provider.Machine{}, noCapacity{
				capacityType + ": no subnet of the EC2NodeClass has a free address in the zones asked for, or no AMI suits the instance types",
			}
		}
		answer, adopted, err := c.askInParts(ctx, class, order, capacityType, kindOf(round[0]), offers)
		switch {
		case adopted != nil:
			return *adopted, nil
		case awserror.IsLaunchTemplateNotFound(err) && !retried:
			for _, o := range offers {
				c.templates.Forget(o.Template)
			}
			continue
		case err != nil:
			if awserror.IsNoProfile(err) {
				c.profiles.Forget(class.Status.InstanceProfile)
			}
			return provider.Machine{}, c.refusal(capacityType, offers, err)
		}
		c.answers(capacityType)
		c.learn(capacityType, offers, answer.Failures)
		c.meterFailures(class, capacityType, answer.Failures)
		if slices.ContainsFunc(answer.Failures, func(f fleet.Failure) bool {
			return awserror.Reason(f.Code, f.Message) == awserror.ReasonInstanceProfileName
		}) {
			c.profiles.Forget(class.Status.InstanceProfile)
		}
		if answer.Bought == nil {
			return provider.Machine{}, explain(capacityType, answer.Failures)
		}
		bought := answer.Bought
		chosen, ok := candidateOf(round, bought.Offer)
		if !ok {
			return provider.Machine{}, fmt.Errorf(
				"NodeClaim %s: EC2 launched %s, an %s in %s, which was not asked for",
				order.Claim.Name,
				bought.InstanceID,
				bought.Offer.InstanceType,
				bought.Offer.Zone,
			)
		}
		c.shortage.Clear(poolOf(capacityType, bought.Offer))
		if bought.Offer.Reservation != "" {
			c.reserved.Launched(bought.Offer.Reservation)
		}
		c.subnets.Take(bought.Offer.Subnet, int32(min(chosen.Type.Capacity.Pods, mostAddresses)))
		m := c.machineFrom(class, order, chosen, bought.InstanceID, bought.Offer.ImageID)
		c.fresh.Put(m.ProviderID, m)
		return m, nil
	}
}

// fleetOffers pairs each candidate with a subnet and a launch template. Candidates whose zone
// has no subnet with free addresses are left out, and so are those that another launch is just
// trying again, if there are others, and those beyond maxTemplates.
func (c *launcher) fleetOffers(
	ctx context.Context,
	class *awsv1.EC2NodeClass,
	order provider.Order,
	round []provider.Candidate,
) ([]fleet.Offer, error) {
	subnets := c.subnets.ByZone(c.subnetsOf(ctx, class))
	wantsEFA := !order.Claim.Spec.Resources.Requests.Name(awsv1.ResourceEFA, "").IsZero() ||
		takesEFA(order.Claim)
	kubelets, err := kubeletsOf(ctx, c.inventory, c.catalogue.setup(class), class)
	if err != nil {
		return nil, err
	}
	templates := map[variant]string{}
	var out, tried []fleet.Offer
	for _, candidate := range round {
		o := offerOf(candidate)
		where, ok := subnets[o.Zone]
		if !ok {
			continue // no fault of the type's: other classes have other subnets
		}
		ami, ok := image.For(class.Status.AMIs, candidate.Type)
		if !ok {
			continue
		}
		v := variantOf(candidate, ami.ID, wantsEFA)
		if v.kubelet, err = kubelets.of(candidate.Type.Name); err != nil {
			continue // the class changed since the plan; its condition names the type
		}
		if templates[v] == "" {
			if len(templates) == maxTemplates {
				continue
			}
			name, err := c.template(ctx, class, order, v)
			if err != nil {
				return nil, err
			}
			templates[v] = name
		}
		o.Subnet, o.ImageID, o.Template = where.ID, ami.ID, templates[v]
		if c.shortage.Probe(poolOf(candidate.Offering.CapacityType, o)) {
			out = append(out, o)
		} else {
			tried = append(tried, o)
		}
	}
	if len(out) == 0 {
		return tried, nil
	}
	return out, nil
}

// offerOf is the part of an offer that follows from the candidate.
func offerOf(c provider.Candidate) fleet.Offer {
	group, _ := shape.LabelValue(c.Offering.Extra, awsv1.LabelPlacementGroupID) // empty for none
	return fleet.Offer{
		InstanceType: c.Type.Name,
		Zone:         c.Offering.Zone,
		Reservation:  c.Offering.Reservation,
		Group:        group,
		Dedicated:    dedicated(c),
		VCPUs:        c.Type.Capacity.CPU / 1000,
		Price:        c.Offering.Price,
	}
}

// poolOf is what an offer is taken from.
func poolOf(capacityType string, o fleet.Offer) offering.Pool {
	return offering.Pool{
		CapacityType: capacityType,
		InstanceType: o.InstanceType,
		Zone:         o.Zone,
		Group:        o.Group,
		Dedicated:    o.Dedicated,
	}
}

func (c *launcher) template(
	ctx context.Context,
	class *awsv1.EC2NodeClass,
	order provider.Order,
	v variant,
) (string, error) {
	content, err := c.contents.content(ctx, class, order.Claim, v)
	if err != nil {
		reason := awserror.ReasonLaunchFailed
		if errors.As(err, new(userdata.TooLong)) {
			reason = awserror.ReasonUserDataSize
		}
		return "", &provider.LaunchError{
			Reason:  reason,
			Message: "No user data for EC2NodeClass " + class.Name + ": " + c.Explain(err),
			Err:     err,
		}
	}
	name, err := c.templates.Ensure(ctx, content)
	if err != nil {
		return "", &provider.LaunchError{
			Reason:  awserror.Reason(awserror.Code(err), awserror.Text(err)),
			Message: "AWS made no launch template: " + sentence(awserror.Text(err)), Err: err,
		}
	}
	return name, nil
}

// subnetsOf are the class's subnets with their free addresses. When AWS does not tell, those
// of the status are taken to have some.
func (c *launcher) subnetsOf(ctx context.Context, class *awsv1.EC2NodeClass) []subnet.Subnet {
	if found, err := c.subnets.Find(ctx, class.Spec.SubnetSelectorTerms); err == nil {
		return found
	}
	return c.catalogue.knownSubnets(class)
}

// knownSubnets are the class's subnets as they were last seen, without a call.
func (c *catalogue) knownSubnets(class *awsv1.EC2NodeClass) []subnet.Subnet {
	if found, ok := c.subnets.Known(class.Spec.SubnetSelectorTerms); ok {
		return found
	}
	out := make([]subnet.Subnet, len(class.Status.Subnets))
	for i, s := range class.Status.Subnets {
		out[i] = subnet.Subnet{ID: s.ID, Zone: s.Zone, ZoneID: s.ZoneID, Free: 1}
	}
	return out
}

// learn remembers what EC2 had none of, and what it refuses for certain: the next try would meet the same. A failure
// that names no type speaks of all offers.
func (c *launcher) learn(capacityType string, offers []fleet.Offer, failures []fleet.Failure) {
	var short []offering.Pool
	for _, f := range failures {
		switch {
		case awserror.IsServiceLinkedRole(f.Code):
			short = append(short, offering.Pool{CapacityType: capacityType})
			continue
		case awserror.IsFreeAddresses(f.Code) && f.Subnet != "":
			c.subnets.RanOut(f.Subnet)
			continue
		case passes(f):
			continue
		}
		for _, o := range offers {
			if f.Concerns(o) {
				short = append(short, c.short(capacityType, o, f)...)
			}
		}
	}
	c.shortage.Note(short...)
}

// short is what to call short because EC2 could not serve one offer. Quotas and reservations are remembered here.
func (c *launcher) short(capacityType string, o fleet.Offer, f fleet.Failure) []offering.Pool {
	switch {
	case awserror.IsQuota(f.Code):
		c.shortage.NoteQuota(capacityType, o.InstanceType, o.VCPUs)
	case o.Group != "" && awserror.IsSpreadFull(f.Message):
		return []offering.Pool{{CapacityType: capacityType, Zone: o.Zone, Group: o.Group}}
	case capacityType == shape.Reserved && awserror.IsReservationFull(f.Code):
		c.reserved.Exhausted(o.Reservation)
	case capacityType == shape.Reserved:
		c.reserved.Refused(o.Reservation)
	default:
		return []offering.Pool{poolOf(capacityType, o)}
	}
	return nil
}

// unfilled is a LaunchError of a fleet that EC2 has answered: it bought nothing for certain.
type unfilled struct{ *provider.LaunchError }

func (u unfilled) Unwrap() error { return u.LaunchError }

// passes reports whether a failure says nothing of the offer, so that the same may be had a moment later.
func passes(f fleet.Failure) bool {
	return awserror.IsTransient(f.Code) || awserror.Reason(f.Code, f.Message) == awserror.ReasonInstanceProfileName
}

// explain says why a fleet bought nothing: no capacity if every offer was refused for certain, with the words of what
// is no shortage, else the first reason that passes, that it was throttled before all.
func explain(capacityType string, failures []fleet.Failure) error {
	throttled := slices.IndexFunc(failures, func(f fleet.Failure) bool { return awserror.IsThrottling(f.Code) })
	other := slices.IndexFunc(failures, passes)
	switch {
	case throttled >= 0:
		return refusedOffer(capacityType, failures[throttled])
	case other >= 0:
		return unfilled{refusedOffer(capacityType, failures[other])}
	}
	codes, words := map[string]int{}, map[string]string{}
	for _, f := range failures {
		codes[f.Code]++
		if !awserror.IsNoCapacity(f.Code) && f.Message != "" {
			words[f.Code] = cmp.Or(words[f.Code], ": "+strings.TrimSuffix(f.Message, "."))
		}
	}
	var parts []string
	for code, n := range codes {
		parts = append(parts, fmt.Sprintf("%s (%d)%s", code, n, words[code]))
	}
	slices.Sort(parts)
	if len(parts) == 0 {
		parts = []string{"EC2 gave no reason"}
	}
	return noCapacity{capacityType + ": " + strings.Join(parts, ", ")}
}

// refusal turns an error of the API into one for the claim's condition. Quotas are told as
// errors of the whole call; they say that there is no capacity for us.
func (c *launcher) refusal(capacityType string, offers []fleet.Offer, err error) error {
	var launch *provider.LaunchError
	if errors.As(err, &launch) || errors.Is(err, context.Canceled) {
		return err
	}
	if code := awserror.Code(err); awserror.IsNoCapacity(code) {
		c.learn(capacityType, offers, []fleet.Failure{{Code: code}})
		return noCapacity{capacityType + ": " + awserror.Text(err)}
	}
	told := &provider.LaunchError{
		Reason:  awserror.Reason(awserror.Code(err), awserror.Text(err)),
		Message: sentence("EC2 launched nothing: " + awserror.Text(err)),
		Err:     err,
	}
	if awserror.IsOfRequest(err) {
		return unfilled{told}
	}
	return told
}

// refusedOffer is for the claim's condition.
func refusedOffer(capacityType string, f fleet.Failure) *provider.LaunchError {
	return &provider.LaunchError{
		Reason:  awserror.Reason(f.Code, f.Message),
		Message: sentence(fmt.Sprintf("EC2 launched no %s instance: %s: %s", capacityType, f.Code, f.Message)),
	}
}

// candidateOf is the candidate that an offer was made of. It is false for an offer that was made of none of them.
func candidateOf(candidates []provider.Candidate, bought fleet.Offer) (provider.Candidate, bool) {
	i := slices.IndexFunc(candidates, func(c provider.Candidate) bool {
		o := offerOf(c)
		return o.InstanceType == bought.InstanceType && o.Zone == bought.Zone &&
			o.Reservation == bought.Reservation &&
			o.Group == bought.Group &&
			o.Dedicated == bought.Dedicated
	})
	if i < 0 {
		return provider.Candidate{}, false
	}
	return candidates[i], true
}

// machineFrom describes an instance that was just launched.
func (c *launcher) machineFrom(
	class *awsv1.EC2NodeClass,
	order provider.Order,
	chosen provider.Candidate,
	instanceID, imageID string,
) provider.Machine {
	labels := chosen.Labels()
	labels[awsv1.LabelNodeClass] = class.Name
	return provider.Machine{
		ProviderID:   providerID(chosen.Offering.Zone, instanceID),
		State:        provider.Pending,
		Launched:     c.clock.Now(),
		Claim:        order.Claim.Name,
		Pool:         order.Claim.Labels[shape.LabelNodePool],
		InstanceType: chosen.Type.Name,
		Zone:         chosen.Offering.Zone,
		CapacityType: chosen.Offering.CapacityType,
		Reservation:  chosen.Offering.Reservation,
		ImageID:      imageID,
		Labels:       labels,
		Annotations: map[string]string{
			awsv1.AnnotationInstanceProfile: class.Status.InstanceProfile,
			// All tags are on the instance from the first moment.
			awsv1.AnnotationInstanceTagged: "true",
		},
		Capacity:    provider.ResourceListOf(chosen.Type.Capacity),
		Allocatable: provider.ResourceListOf(chosen.Allocatable()),
	}
}
