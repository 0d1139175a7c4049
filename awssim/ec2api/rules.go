package ec2api

import (
	"context"
	"slices"
	"strings"

	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

// Rules of security groups are those that every group of the account has: all
// traffic from its own members, and out to anywhere. Nothing is filtered.

// permission is what traffic a group lets through.
type permission struct {
	Protocol string      `xml:"ipProtocol"` // "-1" is all
	Groups   []groupPair `xml:"groups>item"`
	Ranges   []ipRange   `xml:"ipRanges>item"`
	Ranges6  []struct{}  `xml:"ipv6Ranges>item"`
	Prefixes []struct{}  `xml:"prefixListIds>item"`
}

type groupPair struct {
	Group string `xml:"groupId"`
	Owner string `xml:"userId"`
}

type ipRange struct {
	CIDR string `xml:"cidrIp"`
}

func fromItself(s *world.State, g *world.SecurityGroup) permission {
	return permission{Protocol: "-1", Groups: []groupPair{{g.ID, s.Account}}}
}

func toAnywhere() permission { return permission{Protocol: "-1", Ranges: []ipRange{{"0.0.0.0/0"}}} }

type groupRulesIn struct {
	asked
	IDs []string `query:"SecurityGroupRuleId"`
}

type groupRule struct {
	ID       string           `xml:"securityGroupRuleId"`
	Group    string           `xml:"groupId"`
	Owner    string           `xml:"groupOwnerId"`
	Egress   bool             `xml:"isEgress"`
	Protocol string           `xml:"ipProtocol"`
	From     int              `xml:"fromPort"`
	To       int              `xml:"toPort"`
	CIDR     string           `xml:"cidrIpv4,omitempty"`
	Source   *groupPair       `xml:"referencedGroupInfo"`
	Tags     []launchspec.Tag `xml:"tagSet>item,omitempty"`
}

type groupRulesOut struct {
	Rules     []groupRule `xml:"securityGroupRuleSet>item"`
	NextToken string      `xml:"nextToken,omitempty"`
}

func (a belongings) describeSecurityGroupRules(
	_ context.Context,
	_ *wire.Call,
	in *groupRulesIn,
) (*groupRulesOut, error) {
	if err := checkFilters(in.Filters, true, "group-id", "security-group-rule-id"); err != nil {
		return nil, err
	}
	out := &groupRulesOut{}
	return out, a.world.Do(func(s *world.State) error {
		all := map[string]groupRule{}
		for _, g := range s.Groups {
			suffix := strings.TrimPrefix(g.ID, "sg-")[1:]
			in := groupRule{
				ID:       "sgr-0" + suffix,
				Group:    g.ID,
				Owner:    s.Account,
				Protocol: "-1",
				From:     -1,
				To:       -1,
				Source:   &groupPair{g.ID, s.Account},
			}
			out := groupRule{
				ID:       "sgr-1" + suffix,
				Group:    g.ID,
				Owner:    s.Account,
				Egress:   true,
				Protocol: "-1",
				From:     -1,
				To:       -1,
				CIDR:     "0.0.0.0/0",
			}
			all[in.ID], all[out.ID] = in, out
		}
		kept, err := chosen(
			in.asked,
			in.IDs,
			all,
			"InvalidSecurityGroupRuleId.NotFound",
			"The security group rule ID '%s' does not exist",
			func(r groupRule) bool {
				return match(in.Filters, fields{"group-id": one(r.Group), "security-group-rule-id": one(r.ID)}, nil)
			},
		)
		if err != nil {
			return err
		}
		slices.SortFunc(kept, func(a, b groupRule) int { return strings.Compare(a.ID, b.ID) })
		out.Rules, out.NextToken, err = page(
			in.asked,
			bounds{5, 1000},
			kept,
			func(r groupRule) string { return r.ID },
		)
		return err
	})
}
