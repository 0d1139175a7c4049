package daemon

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/dovetail-sh/dovetail/internal/feed"
	"github.com/dovetail-sh/dovetail/internal/lookout"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/roster"
	"github.com/dovetail-sh/dovetail/internal/serve"
	"github.com/dovetail-sh/dovetail/internal/simulate"
	"github.com/dovetail-sh/dovetail/internal/view"
	"github.com/dovetail-sh/dovetail/internal/web"
)

// pageRest is between two looks for the page, which costs planning beside the controller's own.
const pageRest = time.Second

// addPage adds the web page, if it is asked for. It has a picture of the cluster of its own, so that nothing it does
// can
// hold the controller up; standbys have it too.
func (k *kit) addPage(ask func(f feed.Frame, kind, name string) string) error {
	address := k.config.Serve.WebAddress
	if address == "" {
		return nil
	}
	if ask == nil {
		ask = func(f feed.Frame, kind, name string) string {
			if kind == "pod" {
				return f.Thoughts.Explain(name)
			}
			return f.Thoughts.ExplainNode(name)
		}
	}
	hub := web.NewHub(strconv.FormatInt(k.clock.Now().UnixNano(), 36))
	guard, outer, err := doors(k, address)
	if err != nil {
		return err
	}
	h, err := web.Handler(hub, guard)
	if err != nil {
		return err
	}
	health := &loops{}
	pager := &feed.Pager{
		Hub:   hub,
		Lives: func(feed.Frame) []view.Life { return k.history.Lives() },
		Loops: health.read,
		Ask:   ask,
	}
	if err := k.manager.Add(everywhere(func(ctx context.Context) error { return k.feedPage(ctx, pager) })); err != nil {
		return fmt.Errorf("adding the web page: %w", err)
	}
	if err := k.manager.Add(
		&server{address: address, handler: outer(h), what: "the web page", flag: "--web-address"},
	); err != nil {
		return fmt.Errorf("adding the web page: %w", err)
	}
	return nil
}

// doors are what stands before the page: on loopback that the page is asked for by a name of this machine, elsewhere
// who
// asks, and whether they may.
func doors(k *kit,
	address string,
) (guard func(http.Handler) http.Handler, outer func(http.Handler) http.Handler, err error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, nil, fmt.Errorf("--web-address %s: %w", address, err)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil, web.Local, nil
	}
	kube, err := kubernetes.NewForConfig(k.manager.GetConfig())
	if err != nil {
		return nil, nil, fmt.Errorf("preparing to ask who looks: %w", err)
	}
	return func(next http.Handler) http.Handler { return serve.Guard(kube, serve.Viewer(), next) },
		func(h http.Handler) http.Handler { return h }, nil
}

// feedPage keeps the page current until the context ends. A page that cannot be shown ends nothing.
func (k *kit) feedPage(ctx context.Context, pager *feed.Pager) error {
	log := k.log.WithName("web")
	from, err := lookout.Start(ctx, k.manager.GetConfig(), k.manager.GetScheme(), "")
	if err != nil {
		log.Error(err, "following the cluster for the web page")
		<-ctx.Done()
		return nil
	}
	told := func(err error) {
		if err != nil {
			log.Error(err, "drawing the web page")
		}
	}
	looking := feed.Feed{
		Origin: from, Rest: pageRest,
		Input: func(set *manifest.Set, missing []string) (roster.Input, error) {
			own := *set
			own.NodeOverlays = nil // what is sold has them applied
			return roster.Input{
				Source: k.manager.GetConfig().Host, Missing: missing,
				Input: simulate.Input{
					Set:     &own,
					Policy:  policyOf(k.config.Planning),
					Now:     k.clock.Now(),
					Lenient: true,
					Market:  simulate.Market{Sold: k.mirror.Offered},
				},
			}, nil
		},
		Frame:   func(f feed.Frame) { told(pager.Frame(f)) },
		Trouble: func(text string) { told(pager.Trouble(text)) },
	}
	looking.Run(ctx)
	return nil
}
