package aws

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/selector"
)

const (
	// impairedFor is how long a status check must have failed before it counts: shorter failures pass.
	impairedFor = 2 * time.Minute
	// statusPage is what DescribeInstanceStatus is asked for at once; AWS's upper limit.
	statusPage = 1000
)

// plannedEvents are what AWS may plan for an instance.
var plannedEvents = []string{
	"instance-reboot",
	"system-reboot",
	"system-maintenance",
	"instance-retirement",
	"instance-stop",
}

var _ provider.Diagnoser = (*Cloud)(nil)

// Diagnose lists the account's instances whose status checks fail, and those with planned events. That needs no queue.
func (c *machines) Diagnose(ctx context.Context) ([]provider.Notice, error) {
	var out []provider.Notice
	for _, ask := range []struct {
		filter ec2types.Filter
		read   func(ec2types.InstanceStatus) []provider.Notice
	}{
		{selector.One("instance-status.status", string(ec2types.SummaryStatusImpaired)), func(s ec2types.InstanceStatus) []provider.Notice {
			return c.impaired(s, provider.InstanceImpaired, s.InstanceStatus)
		}},
		{selector.One("system-status.status", string(ec2types.SummaryStatusImpaired)), func(s ec2types.InstanceStatus) []provider.Notice {
			return c.impaired(s, provider.SystemImpaired, s.SystemStatus)
		}},
		{selector.One("event.code", plannedEvents...), planned},
	} {
		found, err := c.statuses(ctx, ask.filter)
		if err != nil {
			return nil, err
		}
		for _, s := range found {
			out = append(out, ask.read(s)...)
		}
	}
	return out, nil
}

func (c *machines) statuses(ctx context.Context, filter ec2types.Filter) ([]ec2types.InstanceStatus, error) {
	var out []ec2types.InstanceStatus
	pages := ec2.NewDescribeInstanceStatusPaginator(c.ec2, &ec2.DescribeInstanceStatusInput{
		Filters: []ec2types.Filter{filter}, MaxResults: awssdk.Int32(statusPage),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("describing the status of instances: %w", err)
		}
		out = append(out, page.InstanceStatuses...)
	}
	return out, nil
}

// impaired is a notice about an instance whose check has failed for long enough.
func (c *machines) impaired(
	s ec2types.InstanceStatus,
	kind provider.NoticeKind,
	check *ec2types.InstanceStatusSummary,
) []provider.Notice {
	if check == nil || check.Status != ec2types.SummaryStatusImpaired {
		return nil
	}
	for _, d := range check.Details {
		if d.ImpairedSince != nil && c.clock.Since(*d.ImpairedSince) >= impairedFor {
			return []provider.Notice{{Kind: kind, Machines: []string{awssdk.ToString(s.InstanceId)}}}
		}
	}
	return nil
}

// planned are notices about an instance's planned events. Events that are over stay listed for a week, with their
// description saying so.
func planned(s ec2types.InstanceStatus) []provider.Notice {
	var out []provider.Notice
	for _, e := range s.Events {
		if !slices.Contains(plannedEvents, string(e.Code)) {
			continue
		}
		description := strings.ToLower(awssdk.ToString(e.Description))
		out = append(out, provider.Notice{
			Kind:     provider.EventPlanned,
			Machines: []string{awssdk.ToString(s.InstanceId)},
			Start:    awssdk.ToTime(e.NotBefore).UTC(),
			Over:     strings.HasPrefix(description, "[completed]") || strings.HasPrefix(description, "[canceled]"),
		})
	}
	return out
}
