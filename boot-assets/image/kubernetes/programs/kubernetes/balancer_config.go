// The balancer's list of servers: a JSON file that the agent renames into place (node-agent/kubernetes/balancer.ts).
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"time"
)

type balancerServer struct {
	Address string `json:"address"`
	// Comes before the others while it is up: the API server on this very node.
	Prefer bool `json:"prefer"`
}

type balancerConfig struct {
	Listen  string           `json:"listen"`
	Servers []balancerServer `json:"servers"`
}

// UnmarshalJSON takes "192.0.2.5:6443" and {"address":"192.0.2.5:6443","prefer":true}.
func (s *balancerServer) UnmarshalJSON(bytes []byte) error {
	if len(bytes) > 0 && bytes[0] == '"' {
		return json.Unmarshal(bytes, &s.Address)
	}
	type plain balancerServer
	return json.Unmarshal(bytes, (*plain)(s))
}

func (s balancerServer) String() string {
	if s.Prefer {
		return s.Address + " (first)"
	}
	return s.Address
}

// fileStamp tells a changed file from an unchanged one: a file that is renamed into place has another inode.
type fileStamp struct {
	modified time.Time
	size     int64
	inode    uint64
}

func stampOf(path string) (fileStamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return fileStamp{}, err
	}
	return fileStamp{modified: info.ModTime(), size: info.Size(), inode: inodeOf(info)}, nil
}

// readBalancerConfig returns the list and the stamp of the file that it is from. The stamp is taken first: a file that
// changes in between is read once more.
func readBalancerConfig(path string) (balancerConfig, fileStamp, error) {
	var config balancerConfig
	stamp, err := stampOf(path)
	if err != nil {
		return config, stamp, err
	}
	bytes, err := os.ReadFile(path)
	if err != nil {
		return config, stamp, err
	}
	if err := json.Unmarshal(bytes, &config); err != nil {
		return config, stamp, fmt.Errorf("%s: %w", path, err)
	}
	if len(config.Servers) == 0 {
		return config, stamp, fmt.Errorf("%s: servers is empty; at least one \"address:port\" is needed", path)
	}
	for _, address := range append([]string{config.Listen}, addressesOf(config.Servers)...) {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return config, stamp, fmt.Errorf("%s: %q is no \"address:port\"", path, address)
		}
	}
	return config, stamp, nil
}

func addressesOf(servers []balancerServer) []string {
	addresses := make([]string, 0, len(servers))
	for _, server := range servers {
		addresses = append(addresses, server.Address)
	}
	return addresses
}
