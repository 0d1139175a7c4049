package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	karpenterv1alpha1 "github.com/dovetail-sh/dovetail/api/karpenter/v1alpha1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/awserror"
	"github.com/dovetail-sh/dovetail/provider/aws/fleet"
	"github.com/dovetail-sh/dovetail/provider/aws/selector"
)

const (
	// settleFor is how long an instance may stay hidden from DescribeInstances after its launch.
	settleFor = 15 * time.Second
	// attemptsFor is how long what was tried for a token is remembered. A claim is given up
	// long before.
	attemptsFor = time.Hour
)

// reasonLaunchUnclear is for a launch of which we do not know yet whether it came through.
const reasonLaunchUnclear = "LaunchUnclear"

// attempt counts the calls of CreateFleet for a token that EC2 has answered with nothing.
// EC2 repeats its answer to a client token, so the next call needs another.
type attempt struct {
	number int
	// doubt is when it last came up that there may be an instance we do not know of; zero if it never did.
	doubt time.Time
	at    time.Time
}

// errUnclear is for claims that may have an instance which EC2 does not list yet.
func errUnclear() error {
	return &provider.LaunchError{
		Reason:  reasonLaunchUnclear,
		Message: "An earlier launch may still come to light; waiting before launching again.",
	}
}

// clientToken is what makes one attempt idempotent.
func clientToken(token, capacityType string, number int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%d", token, capacityType, number))
	return hex.EncodeToString(sum[:20])
}

// ask buys through a fleet, once. When EC2 says that the client token was used for something
// else, an instance may be there already: it is looked for by its tag and, if found, adopted.
func (c *launcher) ask(
	ctx context.Context,
	class *awsv1.EC2NodeClass,
	order provider.Order,
	capacityType string,
	kind fleet.Kind,
	offers []fleet.Offer,
) (fleet.Answer, *provider.Machine, error) {
	key := order.Token + "/" + capacityType
	for {
		tried := c.attempt(key)
		answer, err := fleet.Buy(ctx, c.ec2, fleet.Request{
			CapacityType: capacityType,
			Kind:         kind,
			Offers:       offers,
			Prioritized:  order.Claim.Annotations[karpenterv1alpha1.PriceOverlayAppliedAnnotationKey] == "true",
			Token:        clientToken(order.Token, capacityType, tried.number),
			Tags:         c.contents.instanceTags(class, order.Claim, order.Token),
			Context:      contextOf(class, order),
		})
		switch {
		case err == nil && answer.Bought == nil:
			c.note(key, attempt{number: tried.number + 1})
			return answer, nil, nil
		case err == nil:
			return answer, nil, nil
		case !awserror.IsTokenReused(err):
			if !awserror.IsDefinite(err) {
				c.doubt(key)
			}
			return answer, nil, err
		}
		if tried.doubt.IsZero() {
			tried.doubt = c.doubt(key)
		}
		m, found, lookErr := c.launched(ctx, class, order)
		if found || lookErr != nil {
			return fleet.Answer{}, &m, lookErr
		}
		if c.clock.Since(tried.doubt) < settleFor {
			return fleet.Answer{}, nil, errUnclear()
		}
		c.note(key, attempt{number: tried.number + 1})
	}
}

// contextOf is what the class passes to EC2. It is about a breadth of choice that a claim with relaxed minValues does
// not have.
func contextOf(class *awsv1.EC2NodeClass, order provider.Order) *string {
	if order.Claim.Annotations[karpenterv1.NodeClaimMinValuesRelaxedAnnotationKey] == "true" {
		return nil
	}
	return class.Spec.Context
}

// doubt notes that an attempt may just have launched something, and returns the time.
func (c *launcher) doubt(key string) time.Time {
	tried := c.attempt(key)
	tried.doubt = c.clock.Now()
	c.note(key, tried)
	return tried.doubt
}

// settle looks for what earlier launches of the order may have left. While EC2 may still be
// hiding it, only the capacity type that was asked for may be asked for again: its client
// token protects it.
func (c *launcher) settle(
	ctx context.Context,
	class *awsv1.EC2NodeClass,
	order provider.Order,
	next string,
) (provider.Machine, bool, error) {
	inherited := !order.Claim.CreationTimestamp.IsZero() &&
		order.Claim.CreationTimestamp.Time.Before(c.launchesSince())
	var doubts []string
	for _, capacityType := range []string{shape.Reserved, shape.Spot, shape.OnDemand} {
		if !c.attempt(order.Token + "/" + capacityType).doubt.IsZero() {
			doubts = append(doubts, capacityType)
		}
	}
	if !inherited && len(doubts) == 0 {
		return provider.Machine{}, false, nil
	}
	m, found, err := c.launched(ctx, class, order)
	if found || err != nil {
		return m, found, err
	}
	for _, capacityType := range doubts {
		if capacityType != next && c.clock.Since(c.attempt(order.Token+"/"+capacityType).doubt) < settleFor {
			return provider.Machine{}, false, errUnclear()
		}
	}
	return provider.Machine{}, false, nil
}

// launchesSince is when this process launched first. For claims that are older another process may have launched
// before: it may have led for days while this one stood by.
func (c *launcher) launchesSince() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.since.IsZero() {
		c.since = c.clock.Now()
	}
	return c.since
}

func (c *launcher) attempt(key string) attempt {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.attempts[key]
}

// note remembers an attempt and forgets those that are long past.
func (c *launcher) note(key string, a attempt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock.Now()
	for k, old := range c.attempts {
		if now.Sub(old.at) >= attemptsFor {
			delete(c.attempts, k)
		}
	}
	a.at = now
	c.attempts[key] = a
}

// bought describes the instances that tokens bought, as far as they have a future. A new leader asks for all claims
// that wait.
func (c *launcher) bought(ctx context.Context, tokens []string) (map[string]ec2types.Instance, error) {
	ctx, cancel := context.WithTimeout(ctx, togetherFor)
	defer cancel()
	found, err := c.machines.describe(
		ctx,
		selector.One("tag:"+tokenTagKey, tokens...),
		selector.One("instance-state-name", comingStates...),
	)
	if err != nil {
		return nil, err
	}
	out := make(map[string]ec2types.Instance, len(found))
	for _, i := range slices.Backward(found) { // of several the first by ID
		for _, tag := range i.Tags {
			if deref(tag.Key) == tokenTagKey {
				out[deref(tag.Value)] = i
			}
		}
	}
	return out, nil
}

// launched finds the instance that an order's token bought, and describes it as Launch does.
func (c *launcher) launched(
	ctx context.Context,
	class *awsv1.EC2NodeClass,
	order provider.Order,
) (provider.Machine, bool, error) {
	i, found, err := c.adopting.Get(ctx, order.Token)
	if err != nil || !found {
		return provider.Machine{}, false, err
	}
	m := machineOf(i)
	types, err := c.catalogue.offersOf(ctx, class)
	if err != nil {
		return provider.Machine{}, false, err
	}
	for _, t := range types {
		if t.Name != m.InstanceType {
			continue
		}
		for k := range t.Offerings {
			o := &t.Offerings[k]
			sold := provider.Candidate{Type: t, Offering: o}
			if o.Zone == m.Zone && o.CapacityType == m.CapacityType && o.Reservation == m.Reservation &&
				dedicated(sold) == isDedicated(i) {
				full := c.machineFrom(class, order, sold, deref(i.InstanceId), m.ImageID)
				full.State, full.Launched = m.State, m.Launched
				return full, true, nil
			}
		}
	}
	// Its zone or type has left the class since; what EC2 says has to do.
	m.Labels[awsv1.LabelNodeClass] = class.Name
	m.Labels[shape.LabelNodePool] = m.Pool
	return m, true, nil
}
