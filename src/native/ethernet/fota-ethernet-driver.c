/* See fota-ethernet-driver.h. */

#include "fota-ethernet-driver.h"

#include <stddef.h>

#include "sdkconfig.h"
#include "esp_eth.h"
#include "esp_eth_mac_openeth.h"
#include "esp_event.h"

#include "mc.defines.h"

/* Time for auto-negotiation in ms: the emulated PHY is ready at once, and says so never. */
#define OPENETH_NEGOTIATION_MS 100

static esp_netif_t *gNetif;
static esp_eth_handle_t gDriver;
static bool gIsStarted;

static esp_eth_mac_t *newMac(eth_phy_config_t *phy)
{
	eth_mac_config_t mac = ETH_MAC_DEFAULT_CONFIG();
#if CONFIG_ETH_USE_OPENETH
	phy->autonego_timeout_ms = OPENETH_NEGOTIATION_MS;
	return esp_eth_mac_new_openeth(&mac);
#elif CONFIG_ETH_USE_ESP32_EMAC
	eth_esp32_emac_config_t emac = ETH_ESP32_EMAC_DEFAULT_CONFIG();
	#ifdef MODDEF_FOTAETHERNET_MDC_PIN
	emac.smi_gpio.mdc_num = MODDEF_FOTAETHERNET_MDC_PIN;
	#endif
	#ifdef MODDEF_FOTAETHERNET_MDIO_PIN
	emac.smi_gpio.mdio_num = MODDEF_FOTAETHERNET_MDIO_PIN;
	#endif
	#ifdef MODDEF_FOTAETHERNET_PHY_ADDRESS
	phy->phy_addr = MODDEF_FOTAETHERNET_PHY_ADDRESS;
	#endif
	#ifdef MODDEF_FOTAETHERNET_PHY_RESET_PIN
	phy->reset_gpio_num = MODDEF_FOTAETHERNET_PHY_RESET_PIN;
	#endif
	return esp_eth_mac_new_esp32(&emac, &mac);
#else
	#error "no Ethernet MAC: set CONFIG_ETH_USE_OPENETH or CONFIG_ETH_USE_ESP32_EMAC in sdkconfig"
#endif
}

static esp_err_t installDriver(void)
{
	eth_phy_config_t phyConfig = ETH_PHY_DEFAULT_CONFIG();
	esp_eth_mac_t *mac = newMac(&phyConfig);
	if (!mac)
		return ESP_ERR_NO_MEM;
	esp_eth_phy_t *phy = esp_eth_phy_new_generic(&phyConfig);
	if (!phy) {
		mac->del(mac);
		return ESP_ERR_NO_MEM;
	}
	esp_eth_config_t config = ETH_DEFAULT_CONFIG(mac, phy);
	esp_err_t err = esp_eth_driver_install(&config, &gDriver);
	if (ESP_OK != err) {
		phy->del(phy);
		mac->del(mac);
		gDriver = NULL;
	}
	return err;
}

static void undoDriver(void)
{
	if (gDriver)
		esp_eth_driver_uninstall(gDriver);
	esp_netif_destroy(gNetif);
	gDriver = NULL;
	gNetif = NULL;
}

esp_err_t fotaEthernetOpen(void)
{
	if (gDriver)
		return ESP_OK;
	esp_err_t err = esp_netif_init();
	if (ESP_OK != err)
		return err;
	err = esp_event_loop_create_default();
	if (ESP_OK != err && ESP_ERR_INVALID_STATE != err)
		return err;
	esp_netif_config_t config = ESP_NETIF_DEFAULT_ETH();
	gNetif = esp_netif_new(&config);
	if (!gNetif)
		return ESP_ERR_NO_MEM;
	err = installDriver();
	if (ESP_OK == err)
		err = esp_netif_attach(gNetif, esp_eth_new_netif_glue(gDriver));
	if (ESP_OK != err)
		undoDriver();
	return err;
}

esp_err_t fotaEthernetStart(void)
{
	if (gIsStarted)
		return ESP_OK;
	esp_err_t err = esp_eth_start(gDriver);
	gIsStarted = ESP_OK == err;
	return err;
}

esp_err_t fotaEthernetStop(void)
{
	if (!gIsStarted)
		return ESP_OK;
	esp_err_t err = esp_eth_stop(gDriver);
	gIsStarted = ESP_OK != err;
	return err;
}

bool fotaEthernetHasAddress(esp_netif_ip_info_t *info)
{
	return gNetif && ESP_OK == esp_netif_get_ip_info(gNetif, info) && 0 != info->ip.addr;
}
