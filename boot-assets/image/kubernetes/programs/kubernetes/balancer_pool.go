// Which API servers there are, which of them answer, and the connections that each carries. The balancer's only state.
package main

import (
	"os"
	"slices"
	"sync"
	"syscall"
)

type serverState struct {
	balancerServer
	// Until the first probe ends a server counts as up: a node that starts shall not wait for it.
	failures int
	holds    map[int]func()
}

type serverPool struct {
	mutex   sync.Mutex
	servers []*serverState
	turn    int
	nextID  int
}

func newServerPool(servers []balancerServer) *serverPool {
	pool := &serverPool{}
	pool.replace(servers)
	return pool
}

func (p *serverPool) find(address string) *serverState {
	for _, server := range p.servers {
		if server.Address == address {
			return server
		}
	}
	return nil
}

// replace takes a new list: what is known of servers that stay is kept, connections of those that are gone are ended.
func (p *serverPool) replace(servers []balancerServer) {
	p.mutex.Lock()
	var next []*serverState
	for _, server := range servers {
		if slices.ContainsFunc(next, func(each *serverState) bool { return each.Address == server.Address }) {
			continue
		}
		state := p.find(server.Address)
		if state == nil {
			state = &serverState{holds: map[int]func(){}}
		}
		state.balancerServer = server
		next = append(next, state)
	}
	var cuts []func()
	for _, server := range p.servers {
		if !slices.Contains(next, server) {
			cuts = append(cuts, server.takeHolds()...)
		}
	}
	p.servers = next
	p.mutex.Unlock()
	callAll(cuts)
}

func (p *serverPool) addresses() []string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	addresses := make([]string, 0, len(p.servers))
	for _, server := range p.servers {
		addresses = append(addresses, server.Address)
	}
	return addresses
}

// order says whom to dial, and whom next: preferred servers that are up, in their order; the others that are up, another
// one first each time; then the rest, because a probe may be two seconds old.
func (p *serverPool) order() []string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	var first, turns, rest []string
	for _, server := range p.servers {
		switch {
		case server.failures > 0:
			rest = append(rest, server.Address)
		case server.Prefer:
			first = append(first, server.Address)
		default:
			turns = append(turns, server.Address)
		}
	}
	if len(turns) > 0 {
		at := p.turn % len(turns)
		turns = append(slices.Clone(turns[at:]), turns[:at]...)
		p.turn++
	}
	return slices.Concat(first, turns, rest)
}

// note takes the outcome of a probe, or of a dial that failed. Three failures in a row end the server's connections.
func (p *serverPool) note(address string, isUp bool) {
	p.mutex.Lock()
	var cuts []func()
	if server := p.find(address); server != nil {
		if isUp {
			server.failures = 0
		} else {
			server.failures++
		}
		if server.failures >= failuresToCut {
			cuts = server.takeHolds()
		}
	}
	p.mutex.Unlock()
	callAll(cuts)
}

// hold notes a connection: `cut` ends it from outside. The result takes the note back; false when the server is listed no
// more, so that the connection must not begin.
func (p *serverPool) hold(address string, cut func()) (forget func(), isListed bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	server := p.find(address)
	if server == nil {
		return func() {}, false
	}
	id := p.nextID
	p.nextID++
	server.holds[id] = cut
	return func() {
		p.mutex.Lock()
		defer p.mutex.Unlock()
		delete(server.holds, id)
	}, true
}

func (s *serverState) takeHolds() []func() {
	cuts := make([]func(), 0, len(s.holds))
	for _, cut := range s.holds {
		cuts = append(cuts, cut)
	}
	s.holds = map[int]func(){}
	return cuts
}

func callAll(cuts []func()) {
	for _, cut := range cuts {
		cut()
	}
}

func inodeOf(info os.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Ino
	}
	return 0
}
