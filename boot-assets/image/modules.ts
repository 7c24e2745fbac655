// Which kernel modules the image carries: disks, networks, file systems and what Kubernetes needs, of common servers and
// mini PCs. Globs below kernel/ without the file ending; a name that one architecture lacks is no fault. What these need
// in turn follows from their own `depends` (kernel-modules.ts). No graphics: the screen is the firmware's own text or frame
// buffer, which the kernel has built in.

/** Kept out although a glob below names them: for people who debug, other buses, or hardware long gone. */
export const NOT_MODULES: readonly string[] = [
  "drivers/net/ethernet/{3com,8390,adaptec,agere,alteon,dec,dlink,fujitsu,micrel,myricom,natsemi,neterion,netronome}/**",
  "drivers/net/ethernet/{packetengines,rdc,silan,sis,smsc,sun,tehuti,ti,via,xircom,stmicro,nvidia}/**",
  "drivers/net/ethernet/{brocade,cavium,cisco,pensando,tehuti}/**",
  "drivers/net/ethernet/chelsio/{cxgb,cxgb3,inline_crypto}/**",
  "drivers/net/ethernet/mellanox/mlxsw/**",
  "drivers/net/usb/{*wwan*,hso,kalmia,cx82310_eth,sierra_net,ipheth,lg-vl600,huawei_cdc_ncm,cdc-phonet,cdc_mbim}",
  "drivers/scsi/{aic7xxx,bfa,be2iscsi,bnx2fc,bnx2i,csiostor,cxgbi,fcoe,libfc,pcmcia,snic,sym53c8xx_2}/**",
  "drivers/scsi/device_handler/**",
];

export const MODULES: readonly string[] = [
  // disks and the buses that they hang on
  "drivers/nvme/host/{nvme,nvme-core}",
  "drivers/ata/{ahci,ahci_*,libahci*,libata,ata_generic,ata_piix,sata_*,pata_{amd,atiixp,jmicron,marvell,sch,via,acpi}}",
  "drivers/scsi/{scsi_mod,sd_mod,sr_mod,sg,ses,virtio_scsi,vmw_pvscsi,hv_storvsc,hpsa,ips,3w-9xxx,3w-sas,arcmsr,hptiop}",
  "drivers/scsi/{aacraid,isci,megaraid,mpi3mr,mpt3sas,mvsas,pm8001,smartpqi}/**",
  "drivers/scsi/{mvumi,stex,hisi_sas/**}",
  "drivers/message/fusion/{mptbase,mptscsih,mptsas,mptspi}",
  "drivers/block/{loop,virtio_blk,nbd,xen-blkfront,zram/zram}",
  "drivers/md/{dm-mod,dm-crypt,dm-verity,dm-snapshot,dm-thin-pool,dm-integrity,md-mod,raid0,raid1,raid10,raid456}",
  "drivers/usb/{storage/usb-storage,storage/uas,host/*,common/*,core/*}",
  "drivers/mmc/{core/*,host/*}",
  "drivers/virtio/**",
  // network
  "drivers/net/ethernet/**",
  "drivers/net/{virtio_net,vmxnet3/vmxnet3,hyperv/*,xen-netfront,net_failover,mii}",
  "drivers/net/usb/**",
  "drivers/net/phy/**",
  "drivers/net/{mdio,pcs}/**",
  "drivers/net/{dummy,ifb,macvlan,macvtap,tap,tun,veth,vrf,geneve}",
  "drivers/net/{bonding/bonding,team/*,ipvlan/*,vxlan/vxlan,wireguard/wireguard}",
  "net/{8021q/8021q,802/*,bridge/bridge,bridge/br_netfilter,llc/llc,core/*,ipv4/**,ipv6/**,tls/tls,xfrm/*,vmw_vsock/*}",
  "net/netfilter/**",
  "net/bridge/netfilter/*",
  "net/sched/{sch_*,cls_*,act_{bpf,mirred,police,skbedit,vlan,gact}}",
  // file systems
  "fs/{autofs/autofs4,binfmt_misc,configfs/configfs,efivarfs/efivarfs,erofs/erofs,ext4/ext4,fat/*,fuse/fuse,isofs/isofs}",
  "fs/{nls/*,overlayfs/overlay,squashfs/squashfs,xfs/xfs,nfs/**,lockd/*,nfs_common/*,netfs/*}",
  "net/sunrpc/**",
  // processors, firmware, trust
  "arch/{x86,arm64}/crypto/**",
  "crypto/{aes_ti,af_alg,algif_*,authenc*,ccm,cmac,crc32c_generic,cryptd,crypto_simd,ctr,essiv,gcm,lz4,sha*,xts,zstd,xxhash_generic}",
  "drivers/char/{tpm/*,hw_random/*,ipmi/*}",
  "drivers/firmware/{dmi-sysfs,qemu_fw_cfg,efi/*}",
  "drivers/watchdog/{i6300esb,iTCO_*,sp5100_tco,hpwdt,wdat_wdt,mei_wdt,softdog,it87_wdt,f71808e_wdt,w83627hf_wdt,sbsa_gwdt}",
  "drivers/watchdog/{bcm2835_wdt,dw_wdt,arm_smc_wdt,sp805_wdt}",
  "drivers/platform/x86/{wmi,wmi-bmof}",
  "drivers/platform/x86/intel/pmc/*",
  "drivers/misc/{mei/mei,mei/mei-me,vmw_vmci/*}",
  "drivers/{hv/*,xen/**,pci/controller/*}",
  "drivers/{acpi/*,edac/*,hwmon/{coretemp,k10temp,nvme},thermal/intel/*,powercap/*,cpufreq/*}",
  "drivers/i2c/{i2c-core,i2c-smbus,busses/i2c-{i801,piix4,designware*}}",
  "drivers/input/{serio/*,keyboard/atkbd}",
  "drivers/hid/{hid,hid-generic,usbhid/*,hid-hyperv}",
  "drivers/rtc/*",
  "drivers/nvdimm/*",
];
