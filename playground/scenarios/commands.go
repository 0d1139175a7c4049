package scenarios

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/labels"
	"rsc.io/script"
)

// word is one command of the story language.
type word struct {
	name, args, summary string
	least, most         int // arguments; most < 0 for any number
	run                 func(s *stage, ctx context.Context, args []string) error
}

// words are the language, in the order in which its reference lists them.
func words() []word {
	return []word{
		{
			"apply",
			"FILE…",
			"apply manifests of the story, or class.yaml, pool.yaml, spot.yaml, gp3.yaml, which all share",
			1,
			-1,
			(*stage).doApply,
		},
		{"delete", "FILE…", "delete what manifests made; no pod is protected any more", 1, -1, (*stage).doDelete},
		{
			"scale",
			"KIND [NAMESPACE/]NAME REPLICAS",
			"set the replicas of a deployment or a statefulset",
			3,
			3,
			(*stage).doScale,
		},
		{
			"restart",
			"KIND [NAMESPACE/]NAME",
			"roll a workload out again, as kubectl rollout restart does",
			2,
			2,
			(*stage).doRestart,
		},
		{"patch", "KIND [NAMESPACE/]NAME JSON", "merge-patch any object", 3, 3, (*stage).doPatch},
		{
			"interrupt",
			"SELECTOR",
			"give every spot machine whose node has the labels its two minutes' notice",
			1,
			1,
			(*stage).doInterrupt,
		},
		{
			"capacity",
			"TYPE ZONE CAPACITY-TYPE NUMBER",
			"let the cloud have only so many more machines",
			4,
			4,
			(*stage).doCapacity,
		},
		{"pause", "DURATION", "let time pass", 1, 1, (*stage).doPause},

		{"driver", "", "run the EBS CSI driver until the story ends", 0, 0, (*stage).doDriver},
		{
			"agent",
			"TAINT-KEY",
			"have an agent take its startup taint off each node that is ready",
			1,
			1,
			(*stage).doAgent,
		},
		{
			"discovery",
			"SELECTOR KEY=VALUE",
			"have an agent label nodes once they have joined",
			2,
			2,
			(*stage).doDiscovery,
		},
		{
			"plugin",
			"SELECTOR RESOURCE AMOUNT",
			"have a device plugin offer a resource on nodes once they have joined",
			3,
			3,
			(*stage).doPlugin,
		},

		{
			"running",
			"NUMBER [SELECTOR]",
			"wait until exactly so many pods run and none waits",
			1,
			2,
			(*stage).doRunning,
		},
		{
			"pending",
			"NUMBER [SELECTOR]",
			"wait until exactly so many pods wait, and the fleet is at rest",
			1,
			2,
			(*stage).doPending,
		},
		{"completed", "NUMBER [SELECTOR]", "wait until so many pods have completed", 1, 2, (*stage).doCompleted},
		{
			"nodes",
			"NUMBER [SELECTOR]",
			"wait until exactly so many nodes of ours are ready and none is going",
			1,
			2,
			(*stage).doNodes,
		},
		{"rest", "", "wait until nothing has changed for some seconds", 0, 0, (*stage).doRest},
		{"cheap", "", "wait until the fleet costs no more than it may at the end", 0, 0, doCheap},
		{
			"event",
			"REASON TEXT",
			"wait for an event with the reason whose message has the text",
			2,
			2,
			(*stage).doEvent,
		},

		{
			"on",
			"SELECTOR LABEL=VALUE",
			"check that all pods with the labels run on nodes with the label",
			2,
			2,
			(*stage).doOn,
		},
		{
			"spread",
			"SELECTOR NODE-LABEL SKEW",
			"check that pods with the labels differ by at most so much between the label's values",
			3,
			3,
			(*stage).doSpread,
		},
		{
			"together",
			"SELECTOR NODE-LABEL",
			"check that all pods with the labels share one value of the node label",
			2,
			2,
			(*stage).doTogether,
		},
		{"bought", "NUMBER", "check that at most so many machines were bought so far", 1, 1, (*stage).doBought},
		{
			"protect",
			"SELECTOR",
			"fail the story if one of these pods is ended before it completes",
			1,
			1,
			(*stage).doProtect,
		},
		{"spare", "NUMBER WHY", "let so many machines go unused", 2, 2, (*stage).doSpare},
		{
			"premium",
			"FACTOR WHY",
			"let the fleet cost so many times what it could at the end",
			2,
			2,
			(*stage).doPremium,
		},
	}
}

// Reference is the story language, a line for each command.
func Reference() string {
	var out strings.Builder
	for _, w := range words() {
		fmt.Fprintf(&out, "%-45s %s\n", strings.TrimSpace(w.name+" "+w.args), w.summary)
	}
	return out.String()
}

// engine runs the story's script.
func (s *stage) engine() *script.Engine {
	e := &script.Engine{Cmds: map[string]script.Cmd{}, Conds: map[string]script.Cond{}}
	for _, w := range words() {
		e.Cmds[w.name] = script.Command(
			script.CmdUsage{Summary: w.summary, Args: w.args},
			func(state *script.State, args ...string) (script.WaitFunc, error) {
				if len(args) < w.least || w.most >= 0 && len(args) > w.most {
					return nil, fmt.Errorf("%w: %s %s", script.ErrUsage, w.name, w.args)
				}
				return nil, w.run(s, state.Context(), args)
			},
		)
	}
	return e
}

func (s *stage) doApply(ctx context.Context, args []string) error {
	for _, file := range args {
		if err := s.apply(ctx, file); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) doDelete(ctx context.Context, args []string) error {
	s.ledger.unprotect()
	for _, file := range args {
		if err := s.remove(ctx, file); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) doPause(ctx context.Context, args []string) error {
	d, err := time.ParseDuration(args[0])
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func (s *stage) doDriver(ctx context.Context, _ []string) error {
	s.start(ctx, "the EBS CSI driver", s.drive)
	return nil
}

func (s *stage) doAgent(ctx context.Context, args []string) error {
	s.start(ctx, "the agent of "+args[0], s.untaint(args[0]))
	return nil
}

func (s *stage) doDiscovery(ctx context.Context, args []string) error {
	selector, err := labels.Parse(args[0])
	if err != nil {
		return err
	}
	key, value, err := pair(args[1])
	if err != nil {
		return err
	}
	s.start(ctx, "the discovery of "+key, s.label(selector, key, value))
	return nil
}

func (s *stage) doPlugin(ctx context.Context, args []string) error {
	selector, err := labels.Parse(args[0])
	if err != nil {
		return err
	}
	amount, err := resource.ParseQuantity(args[2])
	if err != nil {
		return fmt.Errorf("amount %s: %w", args[2], err)
	}
	s.start(ctx, "the device plugin of "+args[1], s.offer(selector, corev1.ResourceName(args[1]), amount))
	return nil
}

func (s *stage) doSpare(_ context.Context, args []string) (err error) {
	s.spare, err = strconv.Atoi(args[0])
	return err
}

func (s *stage) doPremium(_ context.Context, args []string) (err error) {
	s.premium, err = strconv.ParseFloat(args[0], 64)
	return err
}

func pair(text string) (key, value string, err error) {
	key, value, ok := strings.Cut(text, "=")
	if !ok {
		return "", "", fmt.Errorf("%s must be KEY=VALUE", text)
	}
	return key, value, nil
}

// parseSelector reads an optional selector; without one everything matches.
func parseSelector(args []string) (labels.Selector, error) {
	if len(args) == 0 {
		return labels.Everything(), nil
	}
	return labels.Parse(args[0])
}
