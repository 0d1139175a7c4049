package cluster

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
)

// Stop ends every part, clients before servers, and removes the directory
// unless Options.Keep. It returns when all of that is done; a second call
// returns what the first did.
func (c *Cluster) Stop() error {
	c.stopOnce.Do(func() {
		c.stopAll()
		if c.Egress != nil {
			c.Egress.close()
		}
		if !c.options.Keep {
			// The state goes first: a directory without it is one that is being removed.
			c.stopErr = errors.Join(os.RemoveAll(c.layout.file(stateFile)), os.RemoveAll(c.layout.dir))
		} else {
			c.mu.Lock()
			c.state.Ready = false
			c.stopErr = c.saveLocked()
			c.mu.Unlock()
		}
		c.stopErr = errors.Join(c.stopErr, c.lock.Close())
		if c.stopErr != nil {
			c.stopErr = fmt.Errorf("stopping the playground: %w", c.stopErr)
		}
	})
	return c.stopErr
}

// stopAll stops the programs and the clients of the API server together, then
// the API server, then etcd: without etcd the API server does not end.
func (c *Cluster) stopAll() {
	if c.prober != nil {
		c.prober.close()
	}
	c.mu.Lock()
	children := slices.Clone(c.children)
	c.mu.Unlock()
	var clients sync.WaitGroup
	servers := map[string]*child{}
	for _, child := range children {
		if child.name == Etcd || child.name == APIServer {
			servers[child.name] = child
			continue
		}
		clients.Go(child.stop)
	}
	clients.Wait()
	for _, name := range []string{APIServer, Etcd} {
		if server := servers[name]; server != nil {
			server.stop()
		}
	}
	c.mu.Lock()
	c.children = nil
	c.mu.Unlock()
}
